/** What the commands on running containers have in common. */

import { userInfo } from "node:os";
import { runtimeDirectoryPath } from "../../host/runtime-directory.ts";
import type { OperandDefinition } from "../command.ts";

export const CONTAINERS_OPERAND: OperandDefinition = {
  name: "CONTAINER",
  help: "name, id or beginning of an id",
  count: "some",
  completion: "container",
};

/** Where the caller's containers are recorded. */
export function stateDirectory(): string {
  return runtimeDirectoryPath(process.env, userInfo().uid);
}
