/**
 * Owns the stand-ins of the set-up tests: a program on PATH that answers like mongod, and a process that only waits.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Answers every OP_MSG with {ok: 1, version: "8.0.99"}, and writes the arguments it was started with into its data folder. */
const MONGOD = `
const { createServer } = require('node:net');
const { writeFileSync } = require('node:fs');
const { join } = require('node:path');
const value = (name) => process.argv[process.argv.indexOf(name) + 1];
writeFileSync(join(value('--dbpath'), 'arguments.json'), JSON.stringify(process.argv.slice(2)));
const text = Buffer.from('8.0.99\\0');
const size = Buffer.alloc(4);
size.writeInt32LE(text.length);
const one = Buffer.alloc(8);
one.writeDoubleLE(1);
const fields = Buffer.concat([Buffer.from('\\x01ok\\0'), one, Buffer.from('\\x02version\\0'), size, text, Buffer.from([0])]);
const reply = Buffer.alloc(25 + fields.length);
reply.writeInt32LE(reply.length, 0);
reply.writeInt32LE(2013, 12);
reply.writeInt32LE(fields.length + 4, 21);
fields.copy(reply, 25);
createServer((socket) => socket.on('data', () => socket.write(reply))).listen(Number(value('--port')), value('--bind_ip'));
`;

/** Puts a stand-in `mongod` into a folder and gives its path. `body` replaces what it does. */
export async function placeMongod(folder: string, body = MONGOD): Promise<string> {
  const script = join(folder, 'mongod.cjs');
  const program = join(folder, 'mongod');
  await writeFile(script, body);
  await writeFile(program, `#!/bin/sh\nexec ${process.execPath} ${script} "$@"\n`);
  await chmod(program, 0o755);
  return program;
}

/** A living process that does nothing; disposed by SIGKILL. */
export async function startSleeper(): Promise<{ pid: number; child: ChildProcess } & AsyncDisposable> {
  const child = spawn(process.execPath, ['-e', "setInterval(() => {}, 1000); console.log('up')"], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  await once(child.stdout, 'data');
  const exited = once(child, 'exit');
  return {
    pid: child.pid ?? 0,
    child,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}
