/** Types of the files of undici that `http-client.ts` takes, which has them for the whole only. */

declare module "undici/lib/dispatcher/agent.js" {
  export { Agent as default } from "undici";
}

declare module "undici/lib/dispatcher/proxy-agent.js" {
  export { ProxyAgent as default } from "undici";
}

declare module "undici/lib/dispatcher/dispatcher.js" {
  export { Dispatcher as default } from "undici";
}

declare module "undici/lib/api/index.js" {
  const api: Readonly<Record<"request", (...args: never) => unknown>>;
  export default api;
}
