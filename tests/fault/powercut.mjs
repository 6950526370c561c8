// What a power cut may leave: the daemon is stopped each time it has told
// something to reach the disk, and two copies of its directory are made.  One
// has everything that was written until then; the other only what was synced:
// files as they were at their own fsync() and names as of their directory's.
// From each of them a daemon starts, answers, and knows what it must.
import {
	addOracle, alive, assert, assertNoDuplicates, bin, connected, effects, executord, fs, Hub, owner, path, pause, rig, rows, same, until,
} from '../support/faults.mjs';

const plain = `exec '${executord}' "$@"`;
const isFile = file => fs.lstatSync(file).isFile();
const isDirectory = file => fs.lstatSync(file).isDirectory();

// Every file below dir, as paths of its own.
const walk = dir => fs.readdirSync(dir, { recursive: true }).map(String);

function write(to, file, bytes) {
	fs.mkdirSync(path.dirname(path.join(to, file)), { recursive: true, mode: 0o700 });
	fs.writeFileSync(path.join(to, file), bytes, { mode: 0o600 });
}

// What is on a disk that keeps nothing by itself.
class Disk {
	contents = new Map(); // by inode
	names = new Map(); // relative path to inode

	synced(dir, file) {
		const full = path.join(dir, file);
		if (!fs.existsSync(full)) // unlinked or renamed meanwhile
			return;
		if (isFile(full)) {
			const { ino } = fs.statSync(full);
			this.contents.set(ino, fs.readFileSync(full));
			this.names.set(file, ino);
		} else if (isDirectory(full)) {
			for (const name of [...this.names.keys()])
				if (path.dirname(name) === (file || '.'))
					this.names.delete(name);
			for (const name of fs.readdirSync(full))
				if (isFile(path.join(full, name)))
					this.names.set(path.join(file, name), fs.statSync(path.join(full, name)).ino);
		}
	}

	writeTo(to) {
		fs.mkdirSync(to, { mode: 0o700 });
		for (const [name, ino] of this.names)
			write(to, name, this.contents.get(ino) ?? '');
	}
}

function copyAll(from, to) {
	fs.mkdirSync(to, { mode: 0o700 });
	for (const file of walk(from))
		if (isFile(path.join(from, file)))
			write(to, file, fs.readFileSync(path.join(from, file)));
}

// The next daemon is stopped at each sync; known() says what had been reported
// as done by then.
class Recorder {
	moments = [];
	disk = new Disk();
	done = false;

	constructor(hub, known) {
		this.hub = hub;
		this.known = known;
		this.trace = path.join(hub.root, 'trace');
		const mark = path.join(hub.root, 'mark');
		rig(hub, `mkdir '${mark}' 2>/dev/null || exec '${executord}' "$@"
echo $$ > '${mark}/pid'
ASAN_OPTIONS=detect_leaks=0 exec strace -D -q -y -o '${this.trace}' -e trace=fsync,fdatasync -e inject=fsync,fdatasync:signal=SIGSTOP '${executord}' "$@"`);
		this.over = this.record(`${mark}/pid`);
	}

	async record(pid_file) {
		while (!this.done) {
			const lines = fs.existsSync(this.trace) ? fs.readFileSync(this.trace, 'latin1').split('\n') : [];
			if (lines.filter(l => l.startsWith('--- stopped by SIGSTOP')).length > this.moments.length) {
				this.take(lines.filter(l => /^f(data)?sync\(/.test(l)).at(-1));
				process.kill(Number(fs.readFileSync(pid_file, 'latin1')), 'SIGCONT');
			}
			await pause(2);
		}
	}

	take(line) {
		const { hub, moments } = this;
		const file = path.relative(hub.dir, /<([^>]*)>/.exec(line)[1].replace(/ ?\(deleted\)$/, ''));
		if (!file.startsWith('..'))
			this.disk.synced(hub.dir, file);
		const at = path.join(hub.root, `moment-${moments.length}`);
		copyAll(hub.dir, `${at}-written`);
		this.disk.writeTo(`${at}-synced`);
		moments.push({ file: file || '.', images: [`${at}-written`, `${at}-synced`], ...this.known() });
	}

	async end() {
		this.done = true;
		await this.over;
	}
}

async function starts(hub, dir, moment, n) {
	const what = `moment ${n}, ${moment.file} was synced, ${path.basename(dir)}`;
	const adapter = hub.adapter({ env: { ...hub.env, EXECUTOR_DATA_DIR: dir } });
	try {
		await adapter.initialize();
		const tools = await adapter.tools();
		const sources = JSON.parse(await hub.ok('--data-dir', dir, 'source', 'list', '-o', 'json'));
		for (const name of moment.sources)
			assert(JSON.stringify(sources).includes(`"${name}"`), `${name} is missing`);
		for (const name of moment.gone)
			assert(!JSON.stringify(sources).includes(`"${name}"`), `${name} was removed`);
		if (moment.sources.includes('oracle')) {
			await until('its tools', async () => tools.includes('oracle__add') || (await adapter.tools()).includes('oracle__add'));
			same((await adapter.call('oracle__add', { [path.basename(dir)]: 1 })).result?.content[0].text, '0', 'a call');
		}
		const epoch = Number(/^epoch (\d+)/m.exec(fs.readFileSync(path.join(dir, 'run', 'manifest'), 'latin1'))[1]);
		assert(epoch > moment.epoch, `epoch ${epoch} after ${moment.epoch}`);
		await adapter.close();
		await hub.ok('--data-dir', dir, 'daemon', 'stop');
	} catch (error) {
		error.message = `${what}: ${error.message}`;
		throw error;
	}
}

async function allStart(hub, moments, last) {
	hub.bin = bin;
	const todo = moments.flatMap((m, n) => m.images.map(dir => [dir, m, n]));
	await Promise.all([1, 2, 3].map(async () => {
		for (let next = todo.shift(); next; next = todo.shift())
			await starts(hub, ...next);
	}));
	const kept = moments.map(m => m.sources.length);
	console.log(`     ${moments.length} moments, sources that must be there: ${kept.join(' ')}`);
	assert(kept[0] === 0 && kept.at(-1) === last, 'before and after');
}

// Put an image in the place of the directory; the locks stay what they are.
function restore(hub, image) {
	for (const file of walk(hub.dir))
		if (!/(^|\/)(owner|spawn)\.lock$/.test(file) && !isDirectory(path.join(hub.dir, file)))
			fs.rmSync(path.join(hub.dir, file));
	for (const file of walk(image))
		if (isFile(path.join(image, file)) && !/\.lock$/.test(file))
			write(hub.dir, file, fs.readFileSync(path.join(image, file)));
}

function recorded(hub) {
	const sources = [], gone = [];
	const recorder = new Recorder(hub, () => ({ sources: [...sources], gone: [...gone], epoch: Number(hub.manifest()?.epoch ?? 0) }));
	return { recorder, sources, gone };
}

await rows({
	row_59_power_cut_while_sources_come_and_go: ['strace', 'root', async hub => {
		const { recorder, sources, gone } = recorded(hub);
		await addOracle(hub);
		sources.push('oracle');
		const adapter = await connected(hub);
		for (let i = 0; i < 3; i++)
			assert((await adapter.call('oracle__add', { i })).result, 'a call');
		await hub.ok('source', 'add', 'second', '-q', '--', 'true');
		sources.push('second');
		await hub.ok('source', 'add', 'third', '-q', '--', 'true');
		sources.splice(0, 2, 'oracle', 'third'); // from now on it may be gone
		await hub.ok('source', 'remove', 'second', '-q');
		gone.push('second');
		await adapter.close();
		await hub.ok('daemon', 'stop');
		await until('nothing is left', () => hub.left().length === 0);
		await recorder.end();
		await allStart(hub, recorder.moments, 2);
		assertNoDuplicates(hub);
	}],

	// What was accepted before something else was synced is as durable as
	// that, so also who had no power cut himself is told that it may have run.
	row_59_accepted_calls_are_indeterminate: ['strace', 'root', async hub => {
		const { recorder, sources } = recorded(hub);
		await addOracle(hub);
		sources.push('oracle');
		const adapter = await connected(hub);
		const answer = adapter.call('oracle__hold', { b: 1 });
		await until('it runs', () => effects(hub).length === 1);
		await hub.ok('source', 'add', 'second', '-q', '--', 'true');
		sources.push('second');
		await recorder.end();
		const gate = path.join(hub.root, 'gate');
		fs.writeFileSync(gate, '');
		rig(hub, `while [ -e '${gate}' ]; do sleep 0.05; done; ${plain}`);
		const pid = owner(hub);
		process.kill(pid, 'SIGKILL');
		await until('it is dead', () => !alive(pid));
		restore(hub, recorder.moments.at(-1).images[1]);
		fs.rmSync(gate);
		const m = await answer;
		same(m.error?.data?.reason, 'outcome_unknown', JSON.stringify(m));
		same(effects(hub).length, 1, 'executions');
		assert((await adapter.call('oracle__add', { c: 1 })).result, 'the next call');
		assert(JSON.stringify(await hub.ok('source', 'list')).includes('second'), 'what was added last');
		await adapter.close();
		await allStart(hub, recorder.moments.slice(0, 1).concat(recorder.moments.slice(-1)), 1);
	}],
});
