"""Run the APIs and Python functions of a SAM template on one machine, as API Gateway and Lambda run them.

Each function runs in its own process, under Lambda's runtime client, with the variables that the template gives it.
HTTP, REST and WebSocket APIs, Lambda authorizers and their cache, JWT authorizers, CORS and gateway responses are
emulated. `Gateway` is an ASGI application: serve it with uvicorn, or call it from a test:

    import asyncio
    from pathlib import Path

    import httpx2

    from lambda_gateway.app import Gateway
    from lambda_gateway.template.reader import read_template


    async def main() -> None:
        gateway = Gateway(read_template(Path("template.yaml"), {"TABLE_NAME": "orders"}))
        transport = httpx2.ASGITransport(gateway)
        try:
            async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
                response = await client.get("/orders/42")
            print(response.status_code, response.json())
        finally:
            await gateway.stop()


    asyncio.run(main())

The package imports no other package of this repository. It needs PyYAML, httptools, watchfiles,
awslambdaric, joserfc, httpx2 and psutil.
"""
