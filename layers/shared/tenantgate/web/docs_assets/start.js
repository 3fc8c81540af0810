const SIGN_IN = "/api/v1/auth/login?return_to=/docs";

// The home page shows the session's token on a local development stack, and only there. No other endpoint returns it.
async function readSession() {
  const response = await fetch("/", { headers: { accept: "text/html" }, credentials: "same-origin" });
  const home = new DOMParser().parseFromString(await response.text(), "text/html");
  const text = (id) => home.getElementById(id)?.textContent;
  return {
    isSignedIn: home.getElementById("sign-out") !== null,
    token: home.getElementById("access-token")?.value,
    name: text("email") ?? text("user"),
  };
}

const session = readSession().catch(() => ({ isSignedIn: false }));

// Swagger UI's own sign-in would need the client's secret in the browser. A link to ours doesn't.
const signIn = ({ React }) => {
  const add = React.createElement;

  function Bearer({ original }) {
    const [found, set] = React.useState(null);
    React.useEffect(() => { session.then(set); }, []);
    if (found === null) return original;
    const link = add("a", { className: "btn modal-btn auth sign-in", href: SIGN_IN }, "Sign in");
    let more = add("p", null, "Sign in to come back here with a token, or paste one above. ", link);
    if (found.token) more = add("p", null, `You are signed in as ${found.name}. The token is the one of your session.`);
    else if (found.isSignedIn) more = add("p", null, "You are signed in, but this stack shows no token: paste one above.");
    return add("div", null, original, more);
  }

  return {
    wrapComponents: {
      HttpAuth: (Original) => (props) => add(Bearer, { original: add(Original, props) }),
      // The button has only the icon.
      CloseIcon: (Original) => (props) =>
        add(React.Fragment, null, add(Original, props), add("span", { className: "hidden-label" }, "Close")),
    },
  };
};

// The dialog offers only the bearer token. A script can't set the session's cookie, which the browser sends anyway. For
// `openIdConnect`, Swagger UI would fetch the provider's metadata, which the page's policy forbids.
function withBearerOnly(response) {
  if (!response.url.endsWith("/docs/openapi.json")) return response;
  const document = JSON.parse(response.text);
  const { bearer } = document.components.securitySchemes;
  document.components.securitySchemes = { bearer };
  for (const operation of Object.values(document.paths).flatMap(Object.values)) {
    operation.security = operation.security?.filter((scheme) => "bearer" in scheme);
  }
  response.text = JSON.stringify(document);
  return response;
}

const ui = SwaggerUIBundle({
  url: "/docs/openapi.json",
  dom_id: "#api",
  deepLinking: true,
  validatorUrl: null,
  plugins: [signIn],
  responseInterceptor: withBearerOnly,
  onComplete: async () => {
    const { token } = await session;
    if (token) ui.preauthorizeApiKey("bearer", token);
  },
});
