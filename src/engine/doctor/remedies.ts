/** Command lines that mend a host, for root to paste. Pure. */

/** What a program comes with, by distribution (os-release's ID or ID_LIKE). */
const PACKAGES: Readonly<
  Record<string, { readonly install: string; readonly names: Readonly<Record<string, string>> }>
> = {
  debian: { install: "apt-get install -y", names: { newuidmap: "uidmap", pasta: "passt" } },
  fedora: { install: "dnf install -y", names: { newuidmap: "shadow-utils", pasta: "passt" } },
  arch: { install: "pacman -S --noconfirm", names: { newuidmap: "shadow", pasta: "passt" } },
  alpine: { install: "apk add", names: { newuidmap: "shadow-uidmap", pasta: "passt" } },
  suse: { install: "zypper install -y", names: { newuidmap: "shadow", pasta: "passt" } },
};

/** The line that installs a program; where the distribution is unknown, what to look for. */
export function installLine(program: string, distribution: readonly string[]): string {
  const known = distribution.find((id) => Object.hasOwn(PACKAGES, id));
  const family = known === undefined ? undefined : PACKAGES[known];
  if (family === undefined) return `# install the package that has ${program}`;
  return `${family.install} ${family.names[program] ?? program}`;
}

/** Now, and at every boot. */
export function sysctlLines(name: string, value: number): readonly string[] {
  return [`sysctl -w ${name}=${value}`, `echo ${name}=${value} >/etc/sysctl.d/90-pycri.conf`];
}

/** Ranges behind everyone else's. */
export function subordinateIdsLine(user: string, kinds: readonly ("uid" | "gid")[], start: number): string {
  const range = `${start}-${start + 65_535}`;
  return `usermod ${kinds.map((kind) => `--add-sub${kind}s ${range}`).join(" ")} ${user}`;
}

/** systemd hands these to the services of every user. */
export const DELEGATE_LINES: readonly string[] = [
  "mkdir -p /etc/systemd/system/user@.service.d",
  "printf '[Service]\\nDelegate=cpu cpuset io memory pids\\n' >/etc/systemd/system/user@.service.d/delegate.conf",
  "systemctl daemon-reload",
];
