/**
 * A ZooKeeper server as a child process, whoever's it is: Apache's (oracle.ts) or ours
 * (zabra-process.ts). The tests see only this, so that one suite runs against both.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fourLetterWord } from './four-letter.js';
import { freePort, temporaryDirectory } from './machine.js';

export interface ServerOptions {
  /** Holds version-2; a fresh temporary one when not given (removed by `dispose`). */
  readonly dataDir?: string;
  readonly port?: number;
  /** Where clients find it: this machine's own address unless it runs in a network of its own. */
  readonly host?: string;
  /** A program with arguments that starts the server's own program, in a network of its own. */
  readonly through?: readonly string[];
  /** Lines of zoo.cfg beside dataDir and clientPort; null leaves out one that has a default. */
  readonly config?: Readonly<Record<string, string | null>>;
  /** Given as -Dkey=value. */
  readonly properties?: Readonly<Record<string, string | null>>;
  readonly startTimeoutMs?: number;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ServerProcess {
  readonly host: string;
  readonly port: number;
  /** All servers of an ensemble, as clients list them; without, there is only this one. */
  readonly connectString?: string;
  /** 0 unless the configuration switches the AdminServer on. */
  readonly adminPort: number;
  readonly pid: number;
  readonly dataDir: string;
  readonly exited: Promise<Exit>;
  /** What the process has printed so far. */
  log(): string;
  /** Sends the signal and waits for the end. */
  kill(signal: NodeJS.Signals): Promise<Exit>;
  /** SIGTERM; SIGKILL when that does not help within ten seconds. */
  stop(): Promise<Exit>;
  /** The test expects it to end by itself: nothing worth printing. */
  willEnd(): void;
  /** Starts a new process on the same directory, port and configuration (this one has ended). */
  startAgain(): Promise<ServerProcess>;
  /** `stop`, and throws away temporary directories. */
  dispose(): Promise<void>;
}

export interface Launch {
  readonly program: string;
  /** The arguments, given the path of zoo.cfg and the -D options. */
  arguments(configFile: string, properties: readonly string[], workDir: string): string[];
  readonly env?: NodeJS.ProcessEnv;
}

const defaultConfig: Readonly<Record<string, string>> = {
  tickTime: '2000',
  '4lw.commands.whitelist': '*',
  'admin.enableServer': 'false',
  preAllocSize: '1024',
};

function merged(
  defaults: Readonly<Record<string, string>>,
  own: Readonly<Record<string, string | null>> | undefined,
): [string, string][] {
  const all: Record<string, string | null> = { ...defaults, ...own };
  return Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== null);
}

/** Starts, and waits until the server serves: `srvr` shows figures (`ruok` answers too early). */
export async function startServer(launch: Launch, options: ServerOptions): Promise<ServerProcess> {
  return await start(launch, options, []);
}

async function start(
  launch: Launch,
  options: ServerOptions,
  inherited: readonly string[],
): Promise<ServerProcess> {
  for (let attempt = 1; ; attempt += 1) {
    const ports = {
      client: options.port ?? (await freePort()),
      admin: options.config?.['admin.enableServer'] === 'true' ? await freePort() : 0,
    };
    const server = new ChildServer(launch, options, ports, inherited);
    try {
      await server.untilServing(options.startTimeoutMs ?? 60_000);
      return server;
    } catch (error) {
      const lostTheRace = /Address already in use|EADDRINUSE/.test(server.log());
      await server.kill('SIGKILL');
      server.removeOwnFiles();
      if (attempt === 3 || options.port !== undefined || !lostTheRace) throw error;
    }
  }
}

/** Children do not outlive us, however we end. */
const living = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

class ChildServer implements ServerProcess {
  readonly host: string;
  readonly port: number;
  readonly adminPort: number;
  readonly pid: number;
  readonly dataDir: string;
  readonly exited: Promise<Exit>;
  readonly #launch: Launch;
  readonly #options: ServerOptions;
  readonly #child: ChildProcess;
  readonly #workDir: string;
  readonly #logFile: string;
  /** Directories of earlier processes on the same data: thrown away at the very end. */
  readonly #inherited: readonly string[];
  #exit: Exit | null = null;
  #isToEnd = false;

  constructor(
    launch: Launch,
    options: ServerOptions,
    ports: { readonly client: number; readonly admin: number },
    inherited: readonly string[],
  ) {
    this.#inherited = inherited;
    this.host = options.host ?? '127.0.0.1';
    this.port = ports.client;
    this.adminPort = ports.admin;
    this.#launch = launch;
    this.#options = options;
    this.#workDir = temporaryDirectory('server');
    this.dataDir = options.dataDir ?? join(this.#workDir, 'data');
    mkdirSync(this.dataDir, { recursive: true });
    const own = { clientPort: String(this.port), 'admin.serverPort': String(this.adminPort) };
    const lines = merged({ ...defaultConfig, ...own }, options.config);
    const configFile = join(this.#workDir, 'zoo.cfg');
    const text = [`dataDir=${this.dataDir}`, ...lines.map(([key, value]) => `${key}=${value}`)];
    writeFileSync(configFile, `${text.join('\n')}\n`);
    const properties = merged({}, options.properties).map(([key, value]) => `-D${key}=${value}`);
    this.#logFile = join(this.#workDir, 'output.log');
    const output = openSync(this.#logFile, 'a');
    const [program = launch.program, ...args] = [
      ...(options.through ?? []),
      launch.program,
      ...launch.arguments(configFile, properties, this.#workDir),
    ];
    this.#child = spawn(program, args, {
      stdio: ['ignore', output, output],
      cwd: this.#workDir,
      env: launch.env ?? process.env,
    });
    closeSync(output);
    living.add(this.#child);
    this.pid = this.#child.pid ?? 0;
    this.exited = new Promise((resolve) => {
      const ended = (code: number | null, signal: NodeJS.Signals | null): void => {
        living.delete(this.#child);
        this.#exit = { code, signal };
        // nobody asked for it: say what it said, or the failures that follow explain nothing
        if (!this.#isToEnd) {
          console.error(`a server ended by itself (${code ?? signal}):\n${this.#tail()}`);
        }
        resolve(this.#exit);
      };
      this.#child.once('error', () => {
        ended(null, null);
      });
      this.#child.once('exit', ended);
    });
  }

  log(): string {
    return readFileSync(this.#logFile, 'utf8');
  }

  async untilServing(timeoutMs: number): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    while (this.#exit === null) {
      if (await this.#answers()) return;
      if (Date.now() > deadline) {
        throw new Error(`no server within ${timeoutMs} ms:\n${this.#tail()}`);
      }
      await sleep(50);
    }
    throw new Error(`the server ended (${JSON.stringify(this.#exit)}):\n${this.#tail()}`);
  }

  async #answers(): Promise<boolean> {
    try {
      return /^Zookeeper version|^Zxid|not in the whitelist/m.test(
        await fourLetterWord(this, 'srvr', 2_000),
      );
    } catch {
      // nobody listens yet
      return false;
    }
  }

  #tail(): string {
    return this.log().split('\n').slice(-25).join('\n');
  }

  willEnd(): void {
    this.#isToEnd = true;
  }

  async kill(signal: NodeJS.Signals): Promise<Exit> {
    this.#isToEnd = true;
    if (this.#exit === null) this.#child.kill(signal);
    return await this.exited;
  }

  async stop(): Promise<Exit> {
    if (this.#exit !== null) return this.#exit;
    this.#isToEnd = true;
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 10_000);
    try {
      return await this.exited;
    } finally {
      clearTimeout(timer);
    }
  }

  async startAgain(): Promise<ServerProcess> {
    if (this.#exit === null) throw new Error('the server still runs');
    return await start(this.#launch, { ...this.#options, dataDir: this.dataDir, port: this.port }, [
      ...this.#inherited,
      this.#workDir,
    ]);
  }

  removeOwnFiles(): void {
    rmSync(this.#workDir, { recursive: true, force: true });
  }

  async dispose(): Promise<void> {
    await this.stop();
    this.removeOwnFiles();
    for (const directory of this.#inherited) rmSync(directory, { recursive: true, force: true });
  }
}
