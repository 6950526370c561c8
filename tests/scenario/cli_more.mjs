// What the command line tells of the inside, and what it changes there.
import fs from 'node:fs';
import path from 'node:path';
import { spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { assert, bin, bounded, same, scenarios, until } from '../support/harness.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..', '..');
const installed = program => !spawnSync(program, ['--version']).error;

// A server whose start and tools are as its arguments say.
const broken = ['sh', '-c', 'echo "first line" >&2; echo "the reason" >&2; exit 3'];

async function json(hub, ...args) {
	return JSON.parse(await hub.ok(...args, '-o', 'json'));
}

await scenarios({
	async tools_are_found_by_words(hub) {
		await hub.addEverything('ev');
		const text = await hub.ok('tools', 'search', 'ECHO');
		assert(/^NAME/.test(text) && text.includes('ev__echo'), text);
		const found = await json(hub, 'tools', 'search', 'echo');
		same(found[0].name, 'ev__echo', 'the best');
		assert(found[0].tool.inputSchema && found[0].source === 'ev', 'as it was described');
		same((await json(hub, 'tools', 'search', 'e', '--limit', '2')).length, 2, '--limit');
		same((await json(hub, 'tools', 'search', 'echo', 'nothing-like-it')), [], 'every word counts');
		same((await hub.executor('tools', 'search')).code, 2, 'no words');
		same((await hub.executor('tools', 'search', 'x', '--limit', '0')).code, 2, 'a bad limit');
	},

	async a_source_is_tested(hub) {
		await hub.addEverything('ev');
		const text = await hub.ok('source', 'test', 'ev');
		assert(/^ev: \S.*MCP \d{4}-.* \d+ tools, \d+ prompts, \d+ resources, \d+ templates, in \d+ ms\n$/.test(text), text);
		const good = await json(hub, 'source', 'test', 'ev');
		assert(good.ok && good.source.tools > 5 && good.source.state === 'ready', JSON.stringify(good));
		for (const kind of ['prompts', 'resources', 'resource_templates'])
			assert(good.source[kind] > 0, `${kind}: ${JSON.stringify(good)}`);
		assert(typeof good.duration_ms === 'number', 'duration_ms');

		await hub.addSource('bad', ...broken);
		// It says why as often as it is asked, whatever it rests from.
		for (let i = 0; i < 3; i++) {
			const r = await hub.executor('source', 'test', 'bad');
			same(r.code, 1, `a broken one: ${r.out}${r.err}`);
			assert(r.err.includes('exit status 3') && r.err.includes('the reason') &&
				r.err.includes('executor logs --source bad'), r.err);
		}
		const r = await hub.executor('source', 'test', 'bad', '-o', 'json');
		same(r.code, 1, 'a broken one, as JSON');
		const told = JSON.parse(r.out);
		same(told.ok, false, 'ok');
		assert(told.error.includes('exit status 3') && told.stderr.includes('the reason'), r.out);
		same((await hub.executor('source', 'test', 'nothing')).code, 6, 'no such source');
	},

	async a_disabled_source_keeps_its_names_and_nothing_else(hub) {
		await hub.addEverything('ev');
		const a = hub.adapter();
		await a.initialize();
		const before = await a.tools();
		assert(before.includes('ev__echo'), `${before}`);
		a.notifications.length = 0;
		await hub.ok('source', 'disable', 'ev');
		await until('the client is told', () => a.notifications.some(
			n => n.method === 'notifications/tools/list_changed'));
		assert(!(await a.tools()).some(t => t.startsWith('ev__')), 'no tool of it is listed');
		const refused = await a.call('ev__echo', { message: 'x' });
		same(refused.error?.data?.reason, 'source_disabled', JSON.stringify(refused));
		assert(refused.error.message.includes('executor source enable ev'), refused.error.message);
		const called = await hub.executor('call', 'ev', 'echo', '{"message":"x"}');
		assert(called.code === 1 && called.err.includes('source enable'), `${called.code} ${called.err}`);
		const shown = await json(hub, 'source', 'show', 'ev');
		same([shown.enabled, shown.state, shown.pid], [false, 'stopped', 0], 'its process has ended');
		assert(/^ev +disabled/m.test(await hub.ok('source', 'list')), 'source list');
		same((await hub.executor('source', 'test', 'ev')).code, 1, 'it is not started for a test');

		await hub.ok('daemon', 'restart');
		same((await json(hub, 'source', 'show', 'ev')).enabled, false, 'after a restart');
		same(await hub.ok('source', 'enable', 'ev'), 'enabled ev\n', 'enable');
		same((await a.tools()).sort(), before.sort(), 'the same tools as before');
		same((await a.call('ev__echo', { message: 'x' })).result.content[0].text, 'Echo: x', 'a call');
		same((await hub.executor('source', 'disable', 'nothing')).code, 6, 'no such source');
		same((await hub.executor('source', 'disable', 'executor')).code, 2, 'the built-in one');
	},

	async settings_are_kept(hub) {
		await hub.ok('source', 'add', 'two', '--interactive', 'never', '--roots', 'client', '--', ...broken);
		let two = await json(hub, 'source', 'show', 'two');
		same([two.interactive, two.roots, two.enabled], ['never', 'client', true], 'as it was added');
		const dir = path.join(hub.root, 'a dir');
		fs.mkdirSync(dir);
		await hub.ok('source', 'set', 'two', '--roots', dir, '--roots', 'file:///x');
		await hub.ok('source', 'set', 'two', '--interactive', 'always');
		await hub.ok('daemon', 'restart');
		two = await json(hub, 'source', 'show', 'two');
		same(two.interactive, 'always', 'interactive');
		same(two.roots, [{ uri: `file://${hub.root}/a%20dir` }, { uri: 'file:///x' }], 'roots');
		assert((await hub.ok('source', 'show', 'two')).includes('interactive always'), 'source show');
		for (const args of [['--interactive', 'perhaps'], ['--roots', '/no/such/dir'], []])
			same((await hub.executor('source', 'set', 'two', ...args)).code, 2, `source set two ${args}`);
		same((await hub.executor('source', 'set', 'nothing', '--roots', 'none')).code, 6, 'no such source');
	},

	async top_shows_what_is_being_done(hub) {
		for (const args of [['top'], ['top', '-o', 'json']])
			same((await hub.executor(...args)).code, 3, `executor ${args.join(' ')} without a daemon`);
		await hub.addEverything('ev');
		const a = hub.adapter();
		await a.initialize();
		const tool = (await a.tools()).find(t => t.includes('long'));
		const done = a.call(tool, { duration: 4, steps: 2 }, { progressToken: 1 });
		const top = await until('the call is seen', async () => {
			const t = await json(hub, 'top');
			return t.calls.length > 0 && t;
		});
		const [call] = top.calls;
		same([call.method, call.source, call.client_name], ['tools/call', 'ev', 'scenario'], 'the call');
		same(`ev__${call.name}`.replace(/[^A-Za-z0-9_-]/g, '_'), tool, 'its tool');
		assert(top.sessions.some(s => s.id === call.session && s.requests_in_flight === 1), 'its session');
		assert(top.sources.some(s => s.name === 'ev' && s.requests_in_flight === 1), 'its source');
		const text = await hub.ok('top');
		assert(!text.includes('\x1b') && text.includes(call.name) && /^ev +ready +\d+/m.test(text), text);
		same(await hub.executor('top', '--once').then(r => r.code), 0, '--once');
		if (installed('script')) {
			const child = spawn('script', ['-qfec', `${path.join(bin, 'executor')} top`, '/dev/null'],
				{ env: hub.env, cwd: hub.root, stdio: ['ignore', 'pipe', 'ignore'] });
			let screen = '';
			child.stdout.on('data', t => { screen += t; });
			await until('it is shown anew', () => screen.split('\x1b[H').length > 2);
			child.kill('SIGTERM');
			await bounded(new Promise(end => child.on('close', end)), 'top ends with its terminal');
		}
		await done;
		same((await json(hub, 'top')).calls, [], 'no call is left');
	},

	async the_doctor_finds_what_is_wrong(hub) {
		const doctor = async (...args) => {
			const r = await hub.executor('doctor', '-o', 'json', ...args);
			return { code: r.code, ...JSON.parse(r.out) };
		};
		const find = (d, status, text) => d.checks.find(c => c.status === status && text.test(c.text));
		let d = await doctor();
		same([d.code, d.ok], [0, true], 'nothing has run yet');
		assert(!fs.existsSync(hub.dir) && hub.daemons().length === 0, 'nothing was made or started');
		d = await doctor('--start');
		same(d.code, 0, JSON.stringify(d));
		const [pid] = hub.daemons();
		assert(find(d, 'ok', new RegExp(`pid ${pid} owns`)), JSON.stringify(d));
		assert(find(d, 'ok', /executor\.db is sound/), JSON.stringify(d));

		await hub.addEverything('ev');
		await hub.addSource('off', ...broken);
		await hub.ok('source', 'disable', 'off');
		const text = await hub.ok('doctor');
		assert(text.includes(`\u2713 ev: ${process.execPath}`) && text.includes('\u26a0 off is disabled'), text);
		assert((await hub.ok('doctor', '-q')).split('\n').every(l => !l.includes('\u2713')), '-q');
		await hub.addSource('gone', 'no-such-command-here');
		d = await doctor();
		same([d.code, d.ok], [1, false], 'a command that is not there');
		assert(find(d, 'error', /no-such-command-here/), JSON.stringify(d));
		same(find(d, 'warning', /off is disabled/)?.fix, 'executor source enable off', 'a fix');
		await hub.ok('source', 'remove', 'gone');

		process.kill(pid, 'SIGSTOP');
		d = await doctor();
		process.kill(pid, 'SIGCONT');
		same(d.code, 1, 'a daemon that is stopped');
		// The lock's holder is known, though nobody answers.
		same(find(d, 'error', new RegExp(`${pid}`))?.fix, `kill -CONT ${pid}`, JSON.stringify(d));
		await hub.ok('daemon', 'stop');
		fs.chmodSync(hub.dir, 0o777);
		d = await doctor();
		same(d.code, 1, 'a directory that others can write to');
		assert(/chmod 700/.test(find(d, 'error', /open to others/)?.fix), JSON.stringify(d));
		fs.chmodSync(hub.dir, 0o700);
		d = await doctor();
		same(d.code, 0, JSON.stringify(d));
		same(hub.daemons(), [], 'none was started');
	},

	async shells_complete(hub) {
		const scripts = {};
		for (const shell of ['bash', 'zsh', 'fish']) {
			const file = path.join(hub.root, `completion.${shell}`);
			scripts[shell] = await hub.ok('completion', shell);
			fs.writeFileSync(file, scripts[shell]);
			if (!installed(shell))
				continue;
			const r = spawnSync(shell, ['-n', file]);
			same([r.status, r.stderr.toString()], [0, ''], `${shell} -n`);
		}
		assert(!fs.existsSync(hub.dir), 'no data directory was made');
		same((await hub.executor('completion', 'tcsh')).code, 2, 'another shell');
		same((await hub.executor('completion')).code, 2, 'no shell');
		await hub.addSource('some-source', ...broken);
		const complete = (...words) => {
			const r = spawnSync('bash', ['-c', `${scripts.bash}
				COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
				_executor
				echo "\${COMPREPLY[*]}"`, 'bash', ...words],
			{ env: { ...hub.env, PATH: `${bin}:${hub.env.PATH}` } });
			same([r.status, r.stderr.toString()], [0, ''], words.join(' '));
			return r.stdout.toString().trim().split(' ');
		};
		assert(['source', 'tools', 'doctor', 'top'].every(w => complete('executor', '').includes(w)), 'commands');
		assert(!complete('executor', '').includes('man'), 'hidden ones are not');
		same(complete('executor', 'source', 'e'), ['enable'], 'the second word');
		same(complete('executor', '--data-dir', hub.dir, 'source', 'dis'), ['disable'], 'behind an option');
		same(complete('executor', 'source', 'set', '--interactive', 'n'), ['never'], 'values');
		same(complete('executor', 'tools', 'search', '--li'), ['--limit'], 'options of a command');
		same(complete('executor', 'status', '--no-st'), ['--no-start'], 'options of all');
		same(complete('executor', 'source', 'show', 'some'), ['some-source'], 'names of sources');
	},

	async everything_has_its_page(hub) {
		const page = await hub.ok('man');
		const text = page.replaceAll('\\-', '-');
		const help = await hub.ok('--help');
		const commands = [...help.matchAll(/^ {2}([a-z][a-z ]*[a-z]) {2,}/gm)].map(m => m[1]);
		assert(commands.includes('source add') && commands.includes('doctor'), `${commands}`);
		for (const command of commands)
			assert(text.includes(`.SS executor ${command}\n`), `executor(1) has ${command}`);
		const pages = { executor: path.join(hub.root, 'executor.1') };
		fs.writeFileSync(pages.executor, page);
		for (const program of ['executord', 'executor-mcp-adapter']) {
			pages[program] = path.join(root, 'docs', 'man', `${program}.1`);
			const written = fs.readFileSync(pages[program], 'utf8');
			const usage = spawnSync(path.join(bin, program), ['--help']).stdout.toString();
			for (const [, option] of usage.matchAll(/^ .*--([a-z-]+)/gm))
				assert(written.includes(`Fl Fl ${option}`),
					`${program}(1) has --${option}`);
		}
		if (!installed('man'))
			return;
		for (const file of Object.values(pages)) {
			const r = spawnSync('man', ['--warnings', '-l', file], { env: { ...hub.env, LC_ALL: 'C', MANPAGER: 'cat' } });
			same([r.status, r.stderr.toString()], [0, ''], `man --warnings -l ${file}`);
		}
	},
});
