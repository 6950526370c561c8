// The MCP clients that people use, as far as they go without an account: each
// is told of the adapter, starts the daemon, sees the tools, and is ended in
// its own way.  The daemon lives on, and nothing else is left.
//
// `./dev test --full` installs them (tests/clients/), with no lifecycle script.
// None of them may speak to anybody: telemetry and updates are off, and where
// one would ask a model, the model's address is a closed port of this machine.
import fs from 'node:fs';
import path from 'node:path';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { assert, bin, bounded, modules, same, scenarios, until } from '../../support/harness.mjs';

const adapter = path.join(bin, 'executor-mcp-adapter');
const installed = path.join(modules, '..', 'clients', 'node_modules');
const platform = `${process.platform}-${process.arch}`;
const closed = 'http://127.0.0.1:9';

const quiet = {
	DO_NOT_TRACK: '1', CI: '1', NO_COLOR: '1',
	DISABLE_TELEMETRY: '1', DISABLE_AUTOUPDATER: '1', DISABLE_ERROR_REPORTING: '1',
	CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
	GEMINI_TELEMETRY_ENABLED: 'false',
	OPENCODE_DISABLE_AUTOUPDATE: '1', OPENCODE_DISABLE_MODELS_FETCH: '1',
	OPENCODE_DISABLE_LSP_DOWNLOAD: '1', OPENCODE_DISABLE_DEFAULT_PLUGINS: '1',
	OTEL_SDK_DISABLED: 'true',
	// Some look for news all the same: they find a closed door.
	HTTP_PROXY: closed, HTTPS_PROXY: closed, ALL_PROXY: closed,
	http_proxy: closed, https_proxy: closed, all_proxy: closed,
	npm_config_registry: closed,
};

// How each is started; null where it is not installed for this machine.
function program(...parts) {
	const file = path.join(installed, ...parts);
	return fs.existsSync(file) ? file : null;
}

const claude = program('@anthropic-ai', `claude-code-${platform}`, 'claude');
const codex = program('@openai', 'codex', 'bin', 'codex.js');
const gemini = program('@google', 'gemini-cli', 'bundle', 'gemini.js');
const opencode = program(`opencode-${platform}`, 'bin', 'opencode');

// A source is there, no daemon is: the client starts it.
async function prepare(hub) {
	await hub.addEverything('ev');
	await hub.ok('tools', 'list');
	await hub.ok('daemon', 'stop');
	await until('nothing runs', () => hub.left().length === 0);
	hub.work = path.join(hub.root, 'work');
	fs.mkdirSync(hub.work);
	hub.quiet = { ...hub.env, ...quiet, TERM: 'dumb', SHELL: '/bin/sh' };
}

async function ok(hub, command, ...args) {
	const r = await hub.run(command, args, { env: hub.quiet, cwd: hub.work });
	assert(r.code === 0, `${args.join(' ')}: ${r.code} ${r.signal}\n${r.out}${r.err}`);
	return r.out;
}

// The client has ended: the daemon is there and well, its sources with it, and
// whatever the client started is gone.
async function assertDaemonAlone(hub) {
	// A client in a hurry may be gone before the daemon that it started serves.
	const pid = await until('one daemon serves', async () => {
		const [only, ...more] = hub.daemons();
		return more.length === 0 && only && (await hub.executor('status')).code === 0 && only;
	});
	assert((await hub.ok('call', 'ev', 'echo', '{"message":"still here"}')).includes('still here'), 'a call');
	const status = JSON.parse(await hub.ok('status', '-o', 'json'));
	same(status.pid, pid, 'the daemon');
	await until('only the daemon and its sources are left', () => {
		const sources = status.sources.filter(s => s.pid > 0).map(s => s.pid);
		return hub.left().every(p => p === pid || sources.includes(p));
	});
	await until('its session is over', async () =>
		JSON.parse(await hub.ok('status', '-o', 'json')).sessions.length === 0);
	same(hub.daemons(), [pid], 'the same daemon');
}

// Run it, and hand each line of its output to onLine, which is true at the end.
function talk(hub, command, args, env, onLine, afterwards) {
	const child = spawn(command, args, {
		env: { ...hub.quiet, ...env }, cwd: hub.work, stdio: ['pipe', 'pipe', 'ignore'],
	});
	child.stdin.on('error', () => {});
	const ended = new Promise((done, fail) => {
		child.on('error', fail);
		child.on('exit', done);
	});
	const said = new Promise((done, fail) => {
		createInterface({ input: child.stdout }).on('line', line => {
			if (onLine(line, child))
				done();
		}).on('close', () => fail(new Error(`${args.join(' ')} has ended too early`)));
	});
	return bounded(said.then(() => {
		afterwards(child);
		return ended;
	}), args.join(' '), 90000);
}

const clients = {
	async claude_code_lists_the_tools_and_is_interrupted(hub) {
		await prepare(hub);
		await ok(hub, claude, 'mcp', 'add', 'executor', '-s', 'user', '--', adapter);
		const listed = await ok(hub, claude, 'mcp', 'list');
		assert(/executor: .*Connected/.test(listed), listed);
		await assertDaemonAlone(hub);
		// It has its tools before it asks the model, which it cannot reach.
		let tools = [];
		await talk(hub, claude, ['-p', 'hello', '--output-format', 'stream-json', '--verbose'], {
			ANTHROPIC_API_KEY: 'none', ANTHROPIC_BASE_URL: closed,
		}, (line, child) => {
			child.stdin.end();
			tools = JSON.parse(line).tools ?? tools;
			return tools.length > 0;
		}, child => child.kill('SIGINT'));
		assert(tools.includes('mcp__executor__ev__echo'), tools.join());
		await assertDaemonAlone(hub);
	},

	// It starts the adapter in a process group of its own, and kills that.
	async codex_lists_the_tools_and_kills_the_group(hub) {
		await prepare(hub);
		await ok(hub, process.execPath, codex, 'mcp', 'add', 'executor', '--', adapter);
		const say = (child, m) => child.stdin.write(`${JSON.stringify(m)}\n`);
		let tools = [];
		await talk(hub, '/bin/sh', ['-c', 'echo; exec "$0" "$@"', process.execPath, codex, 'app-server'], {}, (line, child) => {
			if (line === '') {
				say(child, { id: 1, method: 'initialize', params: { clientInfo: { name: 'scenario', version: '1' } } });
				return false;
			}
			const m = JSON.parse(line);
			if (m.id === 1) {
				say(child, { method: 'initialized' });
				say(child, { id: 2, method: 'mcpServerStatus/list', params: {} });
			}
			if (m.id !== 2)
				return false;
			tools = Object.keys(m.result.data.find(s => s.name === 'executor').tools);
			return true;
		}, child => child.stdin.end());
		assert(tools.includes('ev__echo'), tools.join());
		await assertDaemonAlone(hub);
	},

	// It sends SIGTERM and does not wait.
	async gemini_connects_and_leaves(hub) {
		await prepare(hub);
		fs.mkdirSync(path.join(hub.home, '.gemini'));
		fs.writeFileSync(path.join(hub.home, '.gemini', 'trustedFolders.json'),
			JSON.stringify({ [hub.work]: 'TRUST_FOLDER' }));
		await ok(hub, process.execPath, gemini, 'mcp', 'add', '-s', 'user', 'executor', adapter);
		const r = await hub.run(process.execPath, [gemini, 'mcp', 'list'], { env: hub.quiet, cwd: hub.work });
		assert(/executor: .*Connected/.test(r.out + r.err), r.out + r.err);
		await assertDaemonAlone(hub);
	},

	async opencode_connects_and_leaves(hub) {
		await prepare(hub);
		const dir = path.join(hub.home, '.config', 'opencode');
		fs.mkdirSync(dir, { recursive: true });
		fs.writeFileSync(path.join(dir, 'opencode.json'), JSON.stringify({
			autoupdate: false,
			mcp: { executor: { type: 'local', command: [adapter], enabled: true } },
		}));
		const r = await hub.run(opencode, ['mcp', 'list'], { env: hub.quiet, cwd: hub.work });
		assert(/executor.*connected/.test(r.out + r.err), r.out + r.err);
		await assertDaemonAlone(hub);
	},
};

const there = { claude, codex, gemini, opencode };
for (const [name, file] of Object.entries(there)) {
	if (file)
		continue;
	console.log(`skipped: ${name} is not installed for ${platform} (./dev test --full)`);
	for (const key of Object.keys(clients).filter(k => k.startsWith(name)))
		delete clients[key];
}
await scenarios(clients);
