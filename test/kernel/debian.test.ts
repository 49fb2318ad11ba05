/** Real work in a real distribution's root filesystem, as an unprivileged user. */
import assert from "node:assert/strict";
import { kernelTest } from "../support/kernel-test.ts";
import { debianRoot } from "../support/root-filesystem.ts";
import { pycri } from "../support/run.ts";

async function inDebian(script: string, flags: readonly string[] = []): Promise<string> {
  const { status, stdout, stderr } = await pycri(["run", ...flags, await debianRoot(), "bash", "-ec", script]);
  assert.equal(status, 0, `${stderr}\n${stdout}`);
  return stdout.trimEnd();
}

const NEEDS = ["mmdebstrap"] as const;

kernelTest(
  "a C program is compiled and run",
  async () => {
    const script = `
      cd /tmp
      cat >sum.c <<'C'
      #include <pthread.h>
      #include <stdio.h>
      static void *half(void *from) { long s = 0; for (long i = (long)from; i <= 1000; i += 2) s += i; return (void *)s; }
      int main(void) {
        pthread_t t[2]; long total = 0;
        for (long i = 0; i < 2; i++) pthread_create(&t[i], 0, half, (void *)(i + 1));
        for (int i = 0; i < 2; i++) { void *s; pthread_join(t[i], &s); total += (long)s; }
        printf("%ld\\n", total);
      }
C
      gcc -O2 -Wall -pthread -o sum sum.c
      ./sum
    `;
    assert.equal(await inDebian(script), "500500");
  },
  NEEDS,
);

kernelTest(
  "a Python script runs, with processes, sockets and files",
  async () => {
    const script = `
python3 - <<'PY'
import os, socket, subprocess, tempfile, threading
server = socket.create_server(("127.0.0.1", 0))
def answer():
    connection, _ = server.accept()
    connection.sendall(subprocess.check_output(["uname", "-n"]))
    connection.close()
thread = threading.Thread(target=answer)
thread.start()
with socket.create_connection(server.getsockname()) as client, tempfile.TemporaryFile() as file:
    file.write(client.recv(100))
    file.seek(0)
    print(file.read().decode().strip(), os.getpid() > 0)
thread.join()
PY`;
    assert.equal(await inDebian(script, ["--hostname=snake"]), "snake True");
  },
  NEEDS,
);

kernelTest(
  "dpkg builds and installs a package with files of another owner, as the container's root",
  async () => {
    const script = `
      cd /tmp
      mkdir -p p/DEBIAN p/usr/bin p/var/games
      printf 'Package: hello-pycri\\nVersion: 1.0\\nArchitecture: all\\nMaintainer: Nobody <nobody@example.org>\\nDescription: test\\n' >p/DEBIAN/control
      printf '#!/bin/sh\\nset -e\\nchown games:games /var/games\\nchmod 2775 /var/games\\n' >p/DEBIAN/postinst
      printf '#!/bin/sh\\necho hello\\n' >p/usr/bin/hello-pycri
      chmod 755 p/DEBIAN/postinst p/usr/bin/hello-pycri
      dpkg-deb --root-owner-group --build p hello.deb >/dev/null
      dpkg -i hello.deb >/dev/null
      hello-pycri
      stat -c '%U:%G %a' /var/games
      dpkg -s hello-pycri | grep ^Status
    `;
    assert.equal(await inDebian(script), "hello\ngames:games 2775\nStatus: install ok installed");
  },
  NEEDS,
);

kernelTest(
  "root drops to another user with su, who may not do what root may",
  async () => {
    const script = `
      useradd --create-home --shell /bin/bash worker
      su - worker -c 'id -un; pwd; touch /etc/mine 2>/dev/null || echo refused'
      su worker -s /bin/sh -c 'echo $HOME'
    `;
    assert.equal(await inDebian(script), "worker\n/home/worker\nrefused\n/home/worker");
  },
  NEEDS,
);

kernelTest(
  "the ordinary tools of a system work under the default filter",
  async () => {
    const script = `
      tar -C /usr -cf - share/common-licenses | tar -C /tmp -xf -
      ls /tmp/share/common-licenses | grep -c GPL >/dev/null
      echo text | gzip | gunzip
      perl -e 'print "perl $$\\n" =~ s/\\d+/runs/r'
      nice -n 5 nice
      timeout 5 sleep 0.01; echo $?
      mkfifo /tmp/f; (echo piped >/tmp/f &); cat /tmp/f
      setpriv --reuid 1 --regid 1 --clear-groups id -u
    `;
    assert.equal(await inDebian(script), "text\nperl runs\n5\n0\npiped\n1");
  },
  NEEDS,
);
