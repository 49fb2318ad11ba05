/**
 * Answers a registry's challenge: HTTP basic, or a bearer token from the token server that the challenge names
 * (distribution specification, "token authentication"; OAuth2 for identity tokens).
 */

import { RuntimeError } from "../../errors.ts";
import { readJson } from "../../oci/json-reader.ts";
import { type AuthChallenge, parseChallenges } from "./auth-challenge.ts";
import type { Credentials } from "./credentials.ts";
import type { HttpRequest, Transport } from "./transport.ts";

const MAX_TOKEN_BYTES = 1024 * 1024;
const CLIENT_ID = "pycri";

export interface Authenticator {
  /** The Authorization header for requests of this scope that was last accepted, or "". Scopes may stand side by side. */
  current(scope: string): string;
  /** Answer a 401. @returns the Authorization header to try, or null when there is nothing to offer. */
  answer(wwwAuthenticate: string, scope: string): Promise<string | null>;
}

/**
 * @param registry origin of the registry, for messages and for the rule that secrets of a TLS registry never travel in
 * the clear.
 */
export function makeAuthenticator(
  transport: Transport,
  registry: URL,
  credentials: () => Promise<Credentials | null>,
): Authenticator {
  const headers = new Map<string, string>();
  return {
    current: (scope) => headers.get(scope) ?? "",
    async answer(wwwAuthenticate, scope) {
      const challenges = parseChallenges(wwwAuthenticate);
      const header = await answerChallenge(transport, registry, challenges, await credentials(), scope);
      if (header !== null) headers.set(scope, header);
      return header;
    },
  };
}

async function answerChallenge(
  transport: Transport,
  registry: URL,
  challenges: readonly AuthChallenge[],
  credentials: Credentials | null,
  scope: string,
): Promise<string | null> {
  const bearer = challenges.find(({ scheme }) => scheme === "bearer");
  if (bearer !== undefined) return `Bearer ${await fetchToken(transport, registry, bearer, credentials, scope)}`;
  const basic = challenges.some(({ scheme }) => scheme === "basic");
  return basic && credentials?.kind === "password" ? basicHeader(credentials.username, credentials.password) : null;
}

function basicHeader(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}

async function fetchToken(
  transport: Transport,
  registry: URL,
  challenge: AuthChallenge,
  credentials: Credentials | null,
  scope: string,
): Promise<string> {
  const realm = parseRealm(challenge.parameters["realm"] ?? "", registry);
  if (credentials !== null && realm.protocol === "http:" && registry.protocol === "https:") {
    throw new RuntimeError(
      "REGISTRY_DENIED",
      `"${registry.host}" wants credentials sent to "${realm.origin}" in the clear`,
    );
  }
  const service = challenge.parameters["service"] ?? "";
  const response = await transport.send(tokenRequest(realm, service, scope, credentials));
  if (response.status !== 200) {
    await response.drop();
    throw new RuntimeError(
      "REGISTRY_DENIED",
      `"${realm.host}" gives no token for "${registry.host}": HTTP ${response.status}`,
      {
        hint: credentials === null ? `Log in: pycri login ${registry.host}` : "Check the user name and password.",
        details: { status: response.status, realm: realm.origin },
      },
    );
  }
  const reader = readJson(`the token of "${realm.host}"`, await response.readBody(MAX_TOKEN_BYTES), MAX_TOKEN_BYTES);
  const token = reader.optionalString("token") ?? reader.string("access_token");
  if (!/^[\x21-\x7e]+$/.test(token)) throw reader.issue("token", "has characters that no header may have");
  return token;
}

function parseRealm(text: string, registry: URL): URL {
  const realm = URL.canParse(text) ? new URL(text) : null;
  if (realm?.protocol === "https:" || realm?.protocol === "http:") return realm;
  throw new RuntimeError("REGISTRY_FAILED", `"${registry.host}" names no usable token server: "${text}"`);
}

function tokenRequest(realm: URL, service: string, scope: string, credentials: Credentials | null): HttpRequest {
  if (credentials?.kind === "token") {
    const form = new URLSearchParams({
      grant_type: "refresh_token",
      service,
      client_id: CLIENT_ID,
      refresh_token: credentials.identityToken,
      ...(scope === "" ? {} : { scope }),
    });
    return {
      method: "POST",
      url: realm,
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: () => form.toString(),
    };
  }
  const url = new URL(realm);
  if (service !== "") url.searchParams.set("service", service);
  for (const one of scope.split(" ")) if (one !== "") url.searchParams.append("scope", one);
  if (credentials === null) return { method: "GET", url, headers: {} };
  url.searchParams.set("account", credentials.username);
  return { method: "GET", url, headers: { authorization: basicHeader(credentials.username, credentials.password) } };
}
