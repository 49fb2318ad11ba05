/** The code behind `pycri commit`. */

import { commitContainer } from "../../engine/images/commit-container.ts";
import { parseImageName } from "../../image/storage/image-records.ts";
import type { Invocation } from "../command.ts";
import { writeOutput } from "../output.ts";
import type { CommitValues } from "./commit.ts";
import { openImageStore } from "./image-access.ts";

export async function execute({ values, operands }: Invocation<CommitValues>): Promise<number> {
  const [container = "", name] = operands;
  const image = await commitContainer(await openImageStore(values), container, {
    name: name === undefined ? null : parseImageName(name),
    author: values.author ?? "",
    message: values.message ?? "",
    changes: values.change ?? [],
    pause: values.pause ?? true,
    onLayer: () => {},
  });
  writeOutput(`${image.id}\n`);
  return 0;
}
