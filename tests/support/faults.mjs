// Faults from outside: programs that run under an injector, and who owns the
// directory according to the kernel.
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { assert, bin, bounded, Hub, pause, same, scenarios, until } from './harness.mjs';

export const executord = path.join(bin, 'executord');
const fake = path.join(bin, '..', 'tests', 'fake_source');
export const wedge = path.join(bin, '..', 'tests', 'wedge.so');

// --full: the longer half, too.
export const full = process.argv.includes('--full');

const have = command => spawnSync('sh', ['-c', `command -v ${command}`]).status === 0;

// Why this machine cannot do that, or null.  Each needs what it names.
const needs = {
	root: () => process.getuid() === 0 ? null : 'needs root',
	strace: () => {
		if (!have('strace'))
			return 'needs strace';
		return spawnSync('strace', ['-qq', '-o', '/dev/null', '-e', 'inject=fsync:delay_enter=1', 'true']).status === 0 ?
			null : 'strace may not trace here';
	},
	cgroup: () => fs.existsSync('/sys/fs/cgroup/cgroup.controllers') &&
		spawnSync('sh', ['-c', 'd=/sys/fs/cgroup/executor-probe-$$; mkdir $d && test -e $d/cgroup.kill; r=$?; rmdir $d; exit $r']).status === 0 ?
		null : 'needs cgroup v2 that may be written',
	tmpfs: () => {
		const r = spawnSync('unshare', ['-m', 'sh', '-c', 'mount -t tmpfs none /mnt']);
		return r.status === 0 ? null : 'may not mount here';
	},
};

export function missing(...what) {
	for (const w of what) {
		const why = needs[w] ? needs[w]() : have(w) ? null : `needs ${w}`;
		if (why)
			return why;
	}
	return null;
}

// Programs in a directory of their own, beside an executord that is a script:
// what an adapter starts there is whatever the script makes of "$@".
export function rig(hub, script) {
	if (hub.bin === bin) {
		hub.bin = path.join(hub.root, 'bin');
		fs.mkdirSync(hub.bin);
		for (const program of ['executor', 'executor-mcp-adapter'])
			fs.copyFileSync(path.join(bin, program), path.join(hub.bin, program));
	}
	const file = path.join(hub.bin, 'executord');
	fs.writeFileSync(`${file}.new`, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
	fs.renameSync(`${file}.new`, file);
}

// The script that runs executord with options.  LeakSanitizer does not work in
// a process that is traced.
export const withOptions = (options, { traced = false } = {}) =>
	`${traced ? 'ASAN_OPTIONS=detect_leaks=0 ' : ''}exec '${executord}' ${options} "$@"`;

// The same under the injector; once: only the first one that is started.
export function injecting(hub, expressions, { once = true, options = '', paths = [] } = {}) {
	const trace = path.join(hub.root, `trace-${Math.random().toString(36).slice(2)}`);
	const strace = ['strace', '-D', '-q', '-o', `'${trace}'`, `-e 'trace=${expressions.map(e => e.split(':')[0]).join(',')}'`,
		...paths.flatMap(p => ['-P', `'${p}'`]),
		...expressions.flatMap(e => ['-e', `'inject=${e}'`])].join(' ');
	const mark = path.join(hub.root, `once-${Math.random().toString(36).slice(2)}`);
	return (once ? `mkdir '${mark}' 2>/dev/null || exec '${executord}' ${options} "$@"\n` : '') +
		`ASAN_OPTIONS=detect_leaks=0 exec ${strace} '${executord}' ${options} "$@"`;
}

// How many programs the injector has killed.
export const injectedKills = hub => fs.readdirSync(hub.root).filter(f => f.startsWith('trace-') &&
	fs.readFileSync(path.join(hub.root, f), 'latin1').includes('killed by SIGKILL')).length;

// Attach the injector to a process that runs; resolves when it is at work.
export async function inject(pid, ...expressions) {
	const tracer = spawn('strace', ['-qq', '-o', '/dev/null', '-p', String(pid),
		...expressions.flatMap(e => ['-e', `inject=${e}`])], { stdio: 'ignore' });
	await until(`strace is attached to ${pid}`, () =>
		/TracerPid:\t[1-9]/.test(fs.readFileSync(`/proc/${pid}/status`, 'latin1')));
	return {
		end: async () => {
			const gone = new Promise(done => tracer.on('exit', done));
			if (tracer.exitCode === null && tracer.signalCode === null) {
				tracer.kill('SIGINT');
				await bounded(gone, 'the end of strace');
			}
		},
	};
}

// Is it held up by the injector, within a system call?  Not only for the moment
// in which the injector attaches to it.
export async function isHeldUp(pid) {
	const held = () => /\) t /.test(fs.readFileSync(`/proc/${pid}/stat`, 'latin1'));
	if (!held())
		return false;
	await pause(100);
	return held();
}

// Who holds flock() on owner.lock: a pid, or 0.
export function owner(hub) {
	let inode;
	try {
		inode = fs.statSync(path.join(hub.dir, 'owner.lock')).ino;
	} catch {
		return 0;
	}
	for (const line of fs.readFileSync('/proc/locks', 'latin1').split('\n')) {
		const [, kind, , , pid, file] = line.trim().split(/ +/);
		if (kind === 'FLOCK' && file?.endsWith(`:${inode}`))
			return Number(pid);
	}
	return 0;
}

export const log = hub => {
	try {
		return fs.readFileSync(path.join(hub.dir, 'logs', 'executord.log'), 'latin1');
	} catch {
		return '';
	}
};

// The oracle: a source that appends each execution to a file.
export async function addOracle(hub) {
	hub.effects = path.join(hub.root, 'effects');
	await hub.ok('source', 'add', 'oracle', '--env', `EFFECTS=${hub.effects}`, '-q', '--', fake);
	await hub.ok('tools', 'list');
}

export const effects = hub => fs.existsSync(hub.effects) ?
	fs.readFileSync(hub.effects, 'utf8').split('\n').filter(Boolean) : [];

export function assertNoDuplicates(hub) {
	const lines = effects(hub);
	same(lines.filter((l, i) => lines.indexOf(l) !== i), [], 'calls that ran twice');
	return lines;
}

export async function connected(hub, options) {
	const adapter = hub.adapter(options);
	await adapter.initialize();
	await adapter.tools();
	return adapter;
}

// One call that must succeed and tells who executed it.
export async function call(adapter, args) {
	const m = await adapter.call('oracle__echo', args);
	same(m.result?.structuredContent, args, `the answer: ${JSON.stringify(m).slice(0, 400)}`);
}

// Named rows of the matrix.  A row may be [needed..., body]; what this machine
// lacks is printed as the reason why the row is skipped.  Rows whose name
// begins with "full_" run with --full only.
export async function rows(table) {
	const run = {};
	for (const [name, row] of Object.entries(table)) {
		if (name.startsWith('full_') && !full)
			continue;
		const [body, ...what] = Array.isArray(row) ? [row.at(-1), ...row.slice(0, -1)] : [row];
		const why = missing(...what);
		if (why)
			console.log(`skip ${name}: ${why}`);
		else
			run[name] = body;
	}
	await scenarios(run);
}

export { assert, bin, bounded, fs, Hub, path, pause, same, until };
export { alive } from './harness.mjs';
