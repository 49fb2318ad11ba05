/**
 * Which proxy a request goes through: the rules that Go's programs have, Docker and Podman among them, for HTTP_PROXY,
 * HTTPS_PROXY and NO_PROXY (golang.org/x/net/http/httpproxy).
 */

import { BlockList, isIP, isIPv6 } from "node:net";
import { RuntimeError } from "../../errors.ts";
import { isLoopback } from "./registries-config.ts";

export interface ProxySettings {
  /** For `http:` URLs; "" for none. */
  readonly httpProxy: string;
  /** For `https:` URLs; "" for none. */
  readonly httpsProxy: string;
  /** Comma-separated hosts, domains, addresses and networks that are reached directly; `*` for all. */
  readonly noProxy: string;
}

const DEFAULT_PORTS: Readonly<Record<string, string>> = { "http:": "80", "https:": "443" };

/** The proxy for `url`, or null for a direct connection. Loopback addresses never go through a proxy. */
export function chooseProxy(url: URL, settings: ProxySettings): URL | null {
  const proxy = url.protocol === "https:" ? settings.httpsProxy : settings.httpProxy;
  if (proxy === "" || isLoopback(url.host)) return null;
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const port = url.port === "" ? (DEFAULT_PORTS[url.protocol] ?? "") : url.port;
  const entries = settings.noProxy.split(/[,\s]+/).filter((entry) => entry !== "");
  return entries.some((entry) => excludes(entry.toLowerCase(), host, port)) ? null : parseProxy(proxy);
}

/** Whether an entry of NO_PROXY means the host. */
function excludes(entry: string, host: string, port: string): boolean {
  if (entry === "*") return true;
  if (entry.includes("/")) return isInNetwork(entry, host);
  const [, name = entry, wantedPort = ""] = /^(.*?)(?::(\d+))?$/.exec(isIPv6(entry) ? `[${entry}]` : entry) ?? [];
  if (wantedPort !== "" && wantedPort !== port) return false;
  const plain = name.replace(/^\[(.*)\]$/, "$1");
  if (isIP(plain) !== 0) return isSameAddress(plain, host);
  // "example.com" and "*.example.com" mean the subdomains too, ".example.com" the subdomains alone.
  const domain = plain.replace(/^\*/, "");
  return domain.startsWith(".") ? host.endsWith(domain) : host === domain || host.endsWith(`.${domain}`);
}

function isInNetwork(network: string, host: string): boolean {
  const [address = "", bits = ""] = network.split("/");
  const longest = { 4: 32, 6: 128 }[isIP(address)];
  if (longest === undefined || isIP(host) === 0 || !/^\d{1,3}$/.test(bits) || Number(bits) > longest) return false;
  const list = new BlockList();
  list.addSubnet(address, Number(bits), familyOf(address));
  return list.check(host, familyOf(host));
}

function isSameAddress(address: string, host: string): boolean {
  if (isIP(host) === 0) return false;
  const list = new BlockList();
  list.addAddress(address, familyOf(address));
  return list.check(host, familyOf(host));
}

function familyOf(address: string): "ipv4" | "ipv6" {
  return isIPv6(address) ? "ipv6" : "ipv4";
}

function parseProxy(text: string): URL {
  const url = text.includes("://") ? text : `http://${text}`;
  const proxy = URL.canParse(url) ? new URL(url) : null;
  if (proxy !== null && ["http:", "https:"].includes(proxy.protocol) && proxy.hostname !== "") return proxy;
  throw new RuntimeError("INVALID_ARGUMENT", `Cannot use the proxy "${text}"`, {
    hint: "HTTP_PROXY and HTTPS_PROXY are http://[USER:PASSWORD@]HOST:PORT.",
  });
}
