// Print the project of a compiled railway.ts for an environment: node evaluate.mjs COMPILED ENVIRONMENT
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [, , compiled, environment] = process.argv;
const { createRailwayContext, project } = await import(
  pathToFileURL(createRequire(pathToFileURL(compiled)).resolve("railway/iac")).href
);
const { default: define } = await import(pathToFileURL(compiled).href);
console.log(JSON.stringify(await define(createRailwayContext({ environment }), project)));
