/**
 * The parts of undici that speak HTTP to a registry. Its own entry also sets up fetch, WebSocket, caches and mocks, and
 * with them Node's copy of the same: a third of what a pull with nothing to do takes.
 */

import api from "undici/lib/api/index.js";
import Agent from "undici/lib/dispatcher/agent.js";
import Dispatcher from "undici/lib/dispatcher/dispatcher.js";
import ProxyAgent from "undici/lib/dispatcher/proxy-agent.js";

// As undici's entry does it.
Object.assign(Dispatcher.prototype, api);

export { Agent, ProxyAgent };
