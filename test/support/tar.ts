/** Builds archives for tests, honest and malicious ones: the header's fields as given, right checksum unless asked otherwise. */

export interface Member {
  readonly name: string;
  /** Type flag; "0" is a file. */
  readonly type?: string;
  readonly data?: Uint8Array | string;
  readonly linkName?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: number;
  /** Instead of the data's size. */
  readonly size?: number;
  readonly major?: number;
  readonly minor?: number;
  readonly brokenChecksum?: boolean;
  /** Changes the finished header before its checksum. */
  readonly patch?: (block: Buffer) => void;
  /** PAX records before the entry; values are byte strings. */
  readonly pax?: Readonly<Record<string, string>>;
}

const BLOCK = 512;

/** An archive of these members with its end marker. */
export function tar(members: readonly Member[]): Buffer {
  return Buffer.concat([...members.map(member), Buffer.alloc(2 * BLOCK)]);
}

/** One member without an end marker. */
export function member(entry: Member): Buffer {
  const data = Buffer.from(entry.data ?? "");
  const blocks = [header(entry, data.length), pad(data)];
  if (entry.pax !== undefined) {
    const records = Buffer.from(Object.entries(entry.pax).map(paxRecord).join(""), "latin1");
    blocks.unshift(header({ name: "PaxHeaders/x", type: "x" }, records.length), pad(records));
  }
  return Buffer.concat(blocks);
}

function paxRecord([key, value]: readonly [string, string]): string {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length++;
  return `${length}${rest}`;
}

function pad(data: Buffer): Buffer {
  return Buffer.concat([data, Buffer.alloc((BLOCK - (data.length % BLOCK)) % BLOCK)]);
}

function header(entry: Member, dataSize: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, digits: number, offset: number): void => {
    block.write(value.toString(8).padStart(digits, "0"), offset, "latin1");
  };
  block.write(entry.name, 0, 100, "latin1");
  octal(entry.mode ?? 0o644, 7, 100);
  octal(entry.uid ?? 0, 7, 108);
  octal(entry.gid ?? 0, 7, 116);
  octal(entry.size ?? dataSize, 11, 124);
  octal(entry.mtime ?? 1_700_000_000, 11, 136);
  block.write(entry.type ?? "0", 156, "latin1");
  block.write(entry.linkName ?? "", 157, 100, "latin1");
  block.write("ustar\x0000", 257, "latin1");
  octal(entry.major ?? 0, 7, 329);
  octal(entry.minor ?? 0, 7, 337);
  entry.patch?.(block);
  block.fill(" ", 148, 156);
  const sum = block.reduce((total, byte) => total + byte, entry.brokenChecksum === true ? 1 : 0);
  octal(sum, 6, 148);
  block[154] = 0;
  return block;
}
