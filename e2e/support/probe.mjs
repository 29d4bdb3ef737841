// Runs inside a sandbox and writes down all that it can see and do there: node probe.mjs <questions.json> <answers.json>
// It knows the canaries only in disguise, so that it does not find itself.
import { spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import { join } from 'node:path';

const [, , questionsFile, answersFile] = process.argv;
const questions = JSON.parse(fs.readFileSync(questionsFile, 'utf8'));
const undisguise = (text) => Buffer.from(Buffer.from(text, 'hex').map((byte) => byte ^ 0x5a));
const needles = questions.canaries.map(({ name, disguised }) => ({
  name,
  bytes: undisguise(disguised),
}));
const canariesIn = (bytes) =>
  needles.filter((needle) => bytes.includes(needle.bytes)).map(({ name }) => name);
const attempt = (action) => {
  try {
    return action();
  } catch (error) {
    return { refused: error.code ?? error.message };
  }
};
const read = (file) => attempt(() => fs.readFileSync(file, 'utf8'));
const pids = () => fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name));

function processes() {
  return pids().map((pid) => ({
    pid: Number(pid),
    command: attempt(() => fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')),
    status: attempt(() =>
      Object.fromEntries(
        fs
          .readFileSync(`/proc/${pid}/status`, 'utf8')
          .split('\n')
          .map((line) => line.split(':\t')),
      ),
    ),
  }));
}

/** Every file that can be read, except what the operating system's packages brought; what was found where. */
function files() {
  const found = [];
  const folders = [];
  const writable = [];
  const sockets = [];
  const devices = [];
  let count = 0;
  const skip = new Set(['/proc', '/usr', '/opt/node']);
  const visit = (folder) => {
    const entries = attempt(() => fs.readdirSync(folder, { withFileTypes: true }));
    if (!Array.isArray(entries)) return;
    folders.push(folder);
    const trial = join(folder, '.probe-was-here');
    attempt(() => {
      fs.writeFileSync(trial, '');
      fs.rmSync(trial);
      writable.push(folder);
    });
    for (const entry of entries) {
      const path = join(folder, entry.name);
      if (skip.has(path) || path === answersFile || path === questionsFile) continue;
      // Not the type that the folder tells: bubblewrap mounts devices over plain files, and /dev/zero has no end.
      const type = attempt(() => fs.lstatSync(path));
      if (type.refused !== undefined) continue;
      if (type.isDirectory()) visit(path);
      else if (type.isSocket()) sockets.push(path);
      else if (type.isCharacterDevice() || type.isBlockDevice()) devices.push(path);
      else if (type.isFile())
        attempt(() => {
          count += 1;
          for (const name of canariesIn(fs.readFileSync(path))) found.push({ name, path });
        });
    }
  };
  visit('/');
  return { found, folders, writable, sockets, devices, count };
}

/** What every process was started with, has open, and holds in its memory, which a process of the same user may read. */
function processSecrets() {
  const window = Buffer.alloc(4 * 2 ** 20);
  const overlap = 256;
  const found = [];
  const opened = [];
  let scannedBytes = 0;
  for (const pid of pids()) {
    for (const name of ['environ', 'cmdline', 'auxv', 'maps', 'mountinfo', 'limits', 'stack'])
      attempt(() => {
        for (const canary of canariesIn(fs.readFileSync(`/proc/${pid}/${name}`)))
          found.push({ name: canary, path: `/proc/${pid}/${name}` });
      });
    attempt(() => {
      for (const fd of fs.readdirSync(`/proc/${pid}/fd`))
        opened.push(fs.readlinkSync(`/proc/${pid}/fd/${fd}`));
    });
    if (Number(pid) === process.pid) continue;
    attempt(() => {
      const memory = fs.openSync(`/proc/${pid}/mem`, 'r');
      for (const line of fs.readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n')) {
        const [, from, to] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? [];
        if (from === undefined) continue;
        const start = BigInt(`0x${from}`);
        const size = Number(BigInt(`0x${to}`) - start);
        attempt(() => {
          for (let at = 0; at < size; at += window.length - overlap) {
            const length = fs.readSync(
              memory,
              window,
              0,
              Math.min(window.length, size - at),
              start + BigInt(at),
            );
            scannedBytes += length;
            for (const canary of canariesIn(window.subarray(0, length)))
              found.push({ name: canary, path: `/proc/${pid}/mem ${line}` });
          }
        });
      }
      fs.closeSync(memory);
    });
  }
  return { found, opened: [...new Set(opened)], scannedBytes };
}

function sysctls() {
  const open = [];
  let count = 0;
  const visit = (folder) => {
    for (const entry of attempt(() => fs.readdirSync(folder, { withFileTypes: true })).values?.() ??
      []) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) visit(path);
      else {
        count += 1;
        attempt(() => {
          fs.closeSync(fs.openSync(path, 'r+'));
          open.push(path);
        });
      }
    }
  };
  visit('/proc/sys');
  return { count, open };
}

const dial = (options, timeoutMs = 1500) =>
  new Promise((done) => {
    const socket = net.connect(options);
    const end = (answer) => {
      clearTimeout(timer);
      socket.destroy();
      done(answer);
    };
    const timer = setTimeout(() => end('silent'), timeoutMs);
    // A dial to the very port that it was given as its own connects to itself.
    socket.once('connect', () => end(socket.localPort === options.port ? 'itself' : 'connected'));
    socket.once('error', (error) => end(error.code ?? error.message));
  });

async function openPorts(host) {
  const open = [];
  let next = 1;
  const worker = async () => {
    while (next <= 65535) {
      const port = next++;
      if ((await dial({ host, port })) === 'connected') open.push(port);
    }
  };
  await Promise.all(Array.from({ length: 64 }, worker));
  return open.sort((a, b) => a - b);
}

const askDns = (server) =>
  new Promise((done) => {
    const socket = createSocket(net.isIPv6(server) ? 'udp6' : 'udp4');
    const end = (answer) => {
      clearTimeout(timer);
      socket.close();
      done(answer);
    };
    const timer = setTimeout(() => end('silent'), 1000);
    const query = Buffer.from('abcd01000001000000000000076578616d706c6503636f6d0000010001', 'hex');
    socket.once('message', () => end('answered'));
    socket.once('error', (error) => end(error.code));
    socket.send(query, 53, server, (error) => {
      if (error) end(error.code);
    });
  });

/** One request in the very bytes that are given; the head and body of the answer. */
const speak = (port, bytes) =>
  new Promise((done) => {
    const socket = net.connect({ host: '127.0.0.1', port });
    let said = '';
    const timer = setTimeout(() => socket.destroy(), 5000);
    socket.on('connect', () => socket.write(bytes));
    socket.on('data', (chunk) => {
      said += chunk.toString('latin1');
      if (said.length > 4096) socket.destroy();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearTimeout(timer);
      done(said.slice(0, 4096));
    });
  });

const run = (command) => {
  const ran = spawnSync('/bin/sh', ['-c', command], { encoding: 'utf8', timeout: 10_000 });
  return { code: ran.status, said: `${ran.stdout}${ran.stderr}`.slice(0, 2000) };
};

const answers = {
  uid: process.getuid(),
  uidMap: read('/proc/self/uid_map').trim(),
  groups: process.getgroups(),
  hostname: os.hostname(),
  names: ['/etc/hostname', '/etc/hosts', '/proc/sys/kernel/hostname', '/etc/resolv.conf'].map(read),
  mounts: read('/proc/self/mountinfo').trim().split('\n'),
  interfaces: Object.keys(os.networkInterfaces()),
  routes: read('/proc/net/route').trim().split('\n').slice(1),
  unixSockets: read('/proc/net/unix')
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.split(/\s+/)[7] ?? '')
    .filter((name) => name !== ''),
  environment: process.env,
  processes: processes(),
  files: files(),
  processSecrets: processSecrets(),
  sysctls: sysctls(),
  hostPids: questions.hostPids.map((pid) => attempt(() => process.kill(pid, 0))),
  hostPaths: questions.hostPaths.map((path) => attempt(() => fs.lstatSync(path).isFile())),
  dials: Object.fromEntries(
    await Promise.all(
      questions.dials.map(async (target) => [JSON.stringify(target), await dial(target)]),
    ),
  ),
  dns: await Promise.all(questions.dns.map(askDns)),
  ports: { v4: await openPorts('127.0.0.1'), v6: await openPorts('::1') },
  spoken: [],
  tried: Object.fromEntries(questions.commands.map((command) => [command, run(command)])),
};
for (const { port, bytes } of questions.speak) answers.spoken.push(await speak(port, bytes));
fs.writeFileSync(answersFile, JSON.stringify(answers));
console.log('probe: done');
