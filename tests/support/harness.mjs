// What every scenario needs: a private hub, adapters as real processes, and
// the proof that nothing is left behind.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const tests = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
export const modules = path.join(tests, 'node_modules');
export const bin = process.env.EXECUTOR_BIN ?? path.join(tests, '..', 'build', 'dev', 'bin');

export const everything = path.join(
	modules, '@modelcontextprotocol', 'server-everything', 'dist', 'index.js');
export const filesystem = path.join(
	modules, '@modelcontextprotocol', 'server-filesystem', 'dist', 'index.js');

export function assert(truth, text) {
	if (!truth)
		throw new Error(text);
}

export function same(got, want, text) {
	const [a, b] = [JSON.stringify(got), JSON.stringify(want)];
	assert(a === b, `${text}: got ${a}, want ${b}`);
}

export const pause = ms => new Promise(done => setTimeout(done, ms));

// Wait for something to become true.  The bound is a guard against hanging,
// not a measurement.
export async function until(what, test, guard_ms = 30000) {
	const end = Date.now() + guard_ms;
	for (;;) {
		const value = await test();
		if (value)
			return value;
		assert(Date.now() < end, `never happened: ${what}`);
		await pause(10);
	}
}

// A promise that fails after a bound instead of hanging.
export function bounded(promise, text, guard_ms = 60000) {
	let timer;
	const guard = new Promise((_, fail) => {
		timer = setTimeout(() => fail(new Error(`no answer: ${text}`)),
			guard_ms);
	});
	return Promise.race([promise, guard]).finally(() => clearTimeout(timer));
}

function read(file) {
	try {
		return fs.readFileSync(file);
	} catch {
		return null;
	}
}

// Pids of living processes for which test(cmdline, environ) holds.
function processes(test) {
	const found = [];
	for (const pid of fs.readdirSync('/proc')) {
		if (!/^\d+$/.test(pid) || Number(pid) === process.pid)
			continue;
		const args = read(`/proc/${pid}/cmdline`);
		const environ = read(`/proc/${pid}/environ`);
		const stat = read(`/proc/${pid}/stat`);
		if (!args || !stat || /\) Z /.test(stat.toString()))
			continue;
		if (test(args.toString(), environ ? environ.toString() : ''))
			found.push(Number(pid));
	}
	return found;
}

export const alive = pid => {
	const stat = read(`/proc/${pid}/stat`);
	return stat !== null && !/\) Z /.test(stat.toString());
};

// One adapter, spoken to in raw lines.
export class Adapter {
	constructor(hub, { env, args = [], cwd, command } = {}) {
		this.child = spawn(command ?? path.join(hub.bin, 'executor-mcp-adapter'), args, {
			env: env ?? hub.env, cwd: cwd ?? hub.root,
			stdio: ['pipe', 'pipe', 'pipe'],
		});
		this.pid = this.child.pid;
		this.waiting = new Map();
		this.answers = new Map(); // how often each id was answered
		this.notifications = [];
		this.stderr = '';
		this.next = 1;
		this.exited = new Promise(done => {
			this.child.on('exit', (code, signal) => {
				this.exit = { code, signal };
				for (const { fail } of this.waiting.values())
					fail(new Error(`adapter exited: ${code} ${signal} ${this.stderr}`));
				done(this.exit);
			});
		});
		this.child.stderr.on('data', text => { this.stderr += text; });
		this.child.stdin.on('error', () => {});
		createInterface({ input: this.child.stdout }).on('line', line => {
			this.onLine?.(line);
			const m = JSON.parse(line);
			if (m.id === undefined || m.method !== undefined) {
				this.notifications.push(m);
				return;
			}
			this.answers.set(m.id, (this.answers.get(m.id) ?? 0) + 1);
			this.waiting.get(m.id)?.done(m);
			this.waiting.delete(m.id);
		});
	}

	write(line) {
		this.child.stdin.write(`${line}\n`);
	}

	// The whole response, result or error.
	ask(method, params, id = this.next++) {
		const answer = new Promise((done, fail) => {
			this.waiting.set(id, { done, fail });
		});
		this.write(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
		return bounded(answer, `${method} ${JSON.stringify(params ?? {}).slice(0, 80)}`);
	}

	notify(method, params) {
		this.write(JSON.stringify({ jsonrpc: '2.0', method, params }));
	}

	async initialize(protocolVersion = '2025-11-25') {
		const m = await this.ask('initialize', {
			protocolVersion, capabilities: {},
			clientInfo: { name: 'scenario', version: '1' },
		});
		assert(m.result, `initialize: ${JSON.stringify(m)}`);
		this.notify('notifications/initialized');
		return m.result;
	}

	async tools() {
		const m = await this.ask('tools/list', {});
		assert(m.result, `tools/list: ${JSON.stringify(m)}`);
		return m.result.tools.map(t => t.name);
	}

	call(name, args = {}, meta) {
		return this.ask('tools/call', {
			name, arguments: args, ...(meta ? { _meta: meta } : {}),
		});
	}

	async close() {
		this.child.stdin.end();
		return bounded(this.exited, 'adapter exit after end of input');
	}

	kill(signal = 'SIGKILL') {
		this.child.kill(signal);
		return bounded(this.exited, `adapter exit after ${signal}`);
	}
}

// Those that are neither finished nor abandoned: a scenario may have several.
const hubs = new Set();

function abandonAll() {
	for (const hub of hubs)
		hub.abandon();
}

// One private data directory with everything that lives in it.
export class Hub {
	constructor({ dataDir } = {}) {
		this.root = fs.realpathSync(
			fs.mkdtempSync(path.join(os.tmpdir(), 'executor-test-')));
		this.home = path.join(this.root, 'home');
		fs.mkdirSync(this.home);
		this.dir = dataDir ?? path.join(this.home, '.executor');
		// HOME marks every process that comes from here, see left().
		this.env = {
			HOME: this.home, PATH: process.env.PATH,
			...(process.env.ASAN_OPTIONS ?
				{ ASAN_OPTIONS: process.env.ASAN_OPTIONS } : {}),
		};
		this.adapters = [];
		this.bin = bin;
		hubs.add(this);
	}

	adapter(options) {
		const a = new Adapter(this, options);
		this.adapters.push(a);
		return a;
	}

	// Run the command line: {code, out, err}.
	executor(...args) {
		return this.run(path.join(this.bin, 'executor'), args);
	}

	run(command, args, { env = this.env, cwd = this.root, input = '' } = {}) {
		const child = spawn(command, args, { env, cwd });
		let out = '', err = '';
		child.stdout.on('data', text => { out += text; });
		child.stderr.on('data', text => { err += text; });
		child.stdin.on('error', () => {});
		child.stdin.end(input);
		return bounded(new Promise((done, fail) => {
			child.on('error', fail);
			child.on('close', (code, signal) => done({ code, signal, out, err }));
		}), `${command} ${args.join(' ')}`, 120000);
	}

	// The same, and it must succeed; its standard output.
	async ok(...args) {
		const r = await this.executor(...args);
		assert(r.code === 0, `executor ${args.join(' ')}: exit ${r.code}\n${r.out}${r.err}`);
		return r.out;
	}

	async addSource(name, ...command) {
		await this.ok('source', 'add', name, '--', ...command);
	}

	addEverything(name = 'everything') {
		return this.addSource(name, process.execPath, everything);
	}

	// The living daemons of this directory, found from the outside.
	daemons() {
		return processes(args => /(^|\/)executord\0/.test(args) && args.includes(this.dir));
	}

	// Every living process that belongs to this hub in any way.
	left() {
		return processes((args, environ) =>
			args.includes(this.root) || environ.includes(this.root));
	}

	// The manifest's lines as an object, or null.
	manifest() {
		const text = read(path.join(this.dir, 'run', 'manifest'));
		if (!text)
			return null;
		return Object.fromEntries(text.toString().trimEnd().split('\n')
			.map(l => [l.slice(0, l.indexOf(' ')), l.slice(l.indexOf(' ') + 1)]));
	}

	socket() {
		return path.join(this.dir, 'run', 'executor.sock');
	}

	// Stop everything in good order, then prove that no process and no
	// file but the expected is left.
	async finish() {
		for (const a of this.adapters)
			if (!a.exit)
				await a.close();
		if (this.daemons().length > 0) {
			const r = await this.executor('daemon', 'stop');
			// 3: it ended on its own, between the two.
			assert(r.code === 0 || r.code === 3, `daemon stop: ${r.code} ${r.err}`);
		}
		await until(`no process left: ${this.left()}`,
			() => this.left().length === 0);
		this.assertSane();
		const expected = [
			/^executor\.db(-wal|-shm)?$/, /^(owner|spawn)\.lock$/, /^key$/, /^token$/,
			/^run$/, /^run\/s$/, /^run\/boot$/, /^logs$/, /^logs\/.*\.log(\.\d)?$/,
		];
		const files = fs.existsSync(this.dir) ?
			fs.readdirSync(this.dir, { recursive: true }).map(String) : [];
		const strange = files.filter(f => !expected.some(e => e.test(f)));
		same(strange, [], 'files left behind');
		hubs.delete(this);
		fs.rmSync(this.root, { recursive: true, force: true });
	}

	// No sanitizer and no assertion has spoken, in any process.
	assertSane() {
		const spoken = /AddressSanitizer|LeakSanitizer|runtime error:|Assertion .* failed/;
		const logs = path.join(this.dir, 'logs');
		const texts = this.adapters.map(a => a.stderr);
		if (fs.existsSync(logs))
			for (const f of fs.readdirSync(logs))
				texts.push(fs.readFileSync(path.join(logs, f), 'latin1'));
		for (const text of texts)
			assert(!spoken.test(text), text.slice(Math.max(0, text.search(spoken) - 2000)).slice(0, 8000));
	}

	// After a failure: end what is left, by pid, and keep the logs in sight.
	abandon() {
		hubs.delete(this);
		// An adapter that lives may start another daemon meanwhile.
		for (let i = 0; i < 100 && this.left().length > 0; i++) {
			for (const pid of this.left())
				try {
					process.kill(pid, 'SIGKILL');
				} catch { /* gone already */ }
			Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
		}
		const log = read(path.join(this.dir, 'logs', 'executord.log'));
		if (log)
			console.error(`--- executord.log\n${log.toString().slice(-8000)}`);
		fs.rmSync(this.root, { recursive: true, force: true });
	}
}

// Run named scenarios one after the other, each with a hub of its own.
export async function scenarios(table) {
	let failed = 0, passed = 0;
	process.on('uncaughtException', error => {
		console.log(`FAIL outside of a scenario: ${error.stack}`);
		abandonAll();
		process.exit(1);
	});
	for (const signal of ['SIGINT', 'SIGTERM'])
		process.on(signal, () => {
			console.log(`FAIL interrupted by ${signal}`);
			abandonAll();
			process.exit(1);
		});
	for (const [name, body] of Object.entries(table)) {
		const hub = new Hub();
		const started = Date.now();
		try {
			await body(hub);
			await hub.finish();
			passed++;
			console.log(`ok   ${name} (${Date.now() - started} ms)`);
		} catch (error) {
			failed++;
			console.log(`FAIL ${name}: ${error.stack}`);
			abandonAll();
		}
	}
	console.log(`${passed} passed, ${failed} failed`);
	process.exit(failed ? 1 : 0);
}
