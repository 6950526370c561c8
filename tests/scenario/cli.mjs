// What the command line prints, and how it exits.
import fs from 'node:fs';
import path from 'node:path';
import { spawnSync } from 'node:child_process';
import { assert, bin, everything, same, scenarios, until } from '../support/harness.mjs';

await scenarios({
	async status_never_starts_a_daemon(hub) {
		for (const args of [['status'], ['daemon', 'stop'], ['status', '-o', 'json'], ['--no-start', 'tools', 'list']]) {
			const r = await hub.executor(...args);
			same(r.code, 3, `executor ${args.join(' ')}: ${r.out}${r.err}`);
		}
		same(hub.daemons(), [], 'daemons');
		assert(!fs.existsSync(hub.dir), 'no data directory was made');
		await hub.ok('endpoint');
		const status = JSON.parse(await hub.ok('status', '-o', 'json'));
		for (const key of ['pid', 'epoch', 'version', 'data_dir', 'endpoints', 'sessions', 'sources'])
			assert(key in status, `status has ${key}`);
		same(status.pid, hub.daemons()[0], 'pid');
		same(status.data_dir, hub.dir, 'data_dir');
		same(fs.realpathSync(status.endpoints.unix), fs.realpathSync(hub.socket()), 'the socket');
		same(status.endpoints.tcp, null, 'tcp');
		assert((await hub.ok('status')).includes(`pid ${status.pid}`), 'the table has the pid');
	},

	async sources_are_added_shown_and_removed(hub) {
		const r = await hub.executor('source', 'add', 'ev', '--env', 'SECRET_ONE', '--env', 'PLAIN=two words',
			'--', process.execPath, everything);
		same(r.code, 2, 'a variable that is not there');
		assert(r.err.includes('SECRET_ONE'), r.err);
		const file = path.join(hub.root, 'env');
		fs.writeFileSync(file, '# comment\n\nFROM_FILE=a=b # not a comment\n');
		const added = await hub.run(path.join(bin, 'executor'),
			['source', 'add', 'ev', '--env', 'SECRET_ONE', '--env', 'PLAIN=two words', '--env-file', file,
				'--', process.execPath, everything],
			{ env: { ...hub.env, SECRET_ONE: 'the-secret-value', NOT_ASKED: 'no' } });
		same(added.code, 0, added.err);
		assert(added.err.includes('argv') || added.err.includes('processes'), `K=V is warned about: ${added.err}`);

		const env = JSON.parse(JSON.parse(await hub.ok('call', 'ev', 'get-env', '-o', 'json')).content[0].text);
		same(env.SECRET_ONE, 'the-secret-value', 'from the environment');
		same(env.PLAIN, 'two words', 'from the command line');
		same(env.FROM_FILE, 'a=b # not a comment', 'from the file');
		same(env.NOT_ASKED, undefined, 'what nobody asked for');
		same(env.HOME, hub.home, 'what was captured');

		const shown = await hub.ok('source', 'show', 'ev');
		assert(shown.includes('SECRET_ONE') && !shown.includes('the-secret-value'), shown);
		for (const f of fs.readdirSync(hub.dir, { recursive: true })) {
			const at = path.join(hub.dir, String(f));
			if (fs.lstatSync(at).isFile())
				assert(!fs.readFileSync(at, 'latin1').includes('the-secret-value'), `the secret is in ${at}`);
		}

		same((await hub.executor('source', 'add', 'ev', '--', 'true')).code, 1, 'a name twice');
		same((await hub.executor('source', 'add', 'Bad Name', '--', 'true')).code, 2, 'a bad name');
		same((await hub.executor('source', 'add', 'executor', '--', 'true')).code, 2, 'the built-in name');
		same((await hub.executor('source', 'show', 'nothing')).code, 6, 'no such source');
		same((await hub.executor('source', 'remove', 'nothing')).code, 6, 'no such source');
		const list = JSON.parse(await hub.ok('source', 'list', '-o', 'json'));
		same(list.map(s => s.name).sort(), ['ev', 'executor'], 'sources');

		// After a restart it still has its environment.
		await hub.ok('daemon', 'restart');
		const again = JSON.parse(JSON.parse(await hub.ok('call', 'ev', 'get-env', '-o', 'json')).content[0].text);
		same(again.SECRET_ONE, 'the-secret-value', 'after a restart');
		await hub.ok('source', 'remove', 'ev');
		same(JSON.parse(await hub.ok('tools', 'list', '-o', 'json')).filter(t => t.source === 'ev'), [], 'its tools');
	},

	async calls_print_results_and_exit_by_outcome(hub) {
		await hub.addEverything('ev');
		same(await hub.ok('call', 'ev', 'echo', '{"message":"hi"}'), 'Echo: hi\n', 'call');
		const file = path.join(hub.root, 'arguments.json');
		fs.writeFileSync(file, '{"message":\n"from a file"}');
		same(await hub.ok('call', 'ev', 'echo', `@${file}`), 'Echo: from a file\n', '@FILE');
		const piped = await hub.run(path.join(bin, 'executor'), ['call', 'ev', 'echo', '-'], { input: '{"message":"piped"}' });
		same(piped.out, 'Echo: piped\n', 'standard input');
		same((await hub.executor('call', 'ev', 'echo', '{"message":')).code, 2, 'no JSON');
		same((await hub.executor('call', 'ev', 'echo', '[]')).code, 2, 'no object');
		same((await hub.executor('call', 'ev', 'nothing')).code, 6, 'no such tool');
		same((await hub.executor('call', 'nothing', 'echo')).code, 6, 'no such source');
		same((await hub.executor('call', 'ev', 'get-sum', '{"a":"x"}')).code, 5, "the tool's own error");
		const tools = JSON.parse(await hub.ok('tools', 'list', 'ev', '-o', 'json'));
		assert(tools.length > 5 && tools.every(t => t.source === 'ev' && t.tool.inputSchema), 'tools list');
		assert((await hub.ok('tools', 'describe', 'ev__echo')).includes('message'), 'tools describe');
		same(JSON.parse(await hub.ok('tools', 'describe', 'ev__echo', '-o', 'json')).name, 'ev__echo', 'describe -o json');
		same((await hub.executor('tools', 'describe', 'nothing')).code, 6, 'no such tool');
	},

	async a_source_that_cannot_start_says_why(hub) {
		await hub.ok('source', 'add', 'broken', '--', 'no-such-command-here');
		const r = await hub.executor('call', 'broken', 'x');
		assert(r.code !== 0 && /no-such-command-here/.test(r.err), `${r.code} ${r.err}`);
		await until('the reason is shown', async () =>
			(await hub.ok('source', 'show', 'broken')).includes('no-such-command-here'));
		// Others are not disturbed.
		assert((await hub.ok('tools', 'list')).includes('executor__status'), 'the other tools');
	},

	async usage_is_told(hub) {
		for (const args of [[], ['nonsense'], ['source'], ['source', 'nonsense'], ['status', '--nonsense'], ['source', 'show'], ['-o', 'xml', 'status']]) {
			const r = await hub.executor(...args);
			same(r.code, 2, `executor ${args.join(' ')}`);
			assert(r.err.length > 0 && r.out === '', `executor ${args.join(' ')}: ${r.out}`);
		}
		for (const program of ['executor', 'executord', 'executor-mcp-adapter']) {
			const help = spawnSync(path.join(bin, program), ['--help']);
			same(help.status, 0, `${program} --help`);
			assert(help.stdout.toString().includes('--data-dir'), `${program} --help`);
			const version = spawnSync(path.join(bin, program), ['--version']);
			assert(version.stdout.toString().startsWith(`${program} `), `${program} --version`);
		}
		assert((await hub.ok('help', 'source', 'add')).includes('--env-file'), 'help of a command');
	},

	async logs_and_a_daemon_in_the_foreground(hub) {
		await hub.ok('endpoint');
		assert((await hub.ok('logs')).length > 0, 'logs');
		const [first] = hub.daemons();
		await hub.ok('daemon', 'stop');
		same((await hub.executor('logs')).code, 3, 'logs without a daemon');
		const running = hub.run(path.join(bin, 'executor'), ['daemon', 'run']);
		await until('a daemon in the foreground', () => hub.manifest() && hub.daemons().length === 1);
		assert(hub.daemons()[0] !== first, 'another one');
		same(JSON.parse(await hub.ok('status', '-o', 'json')).pid, hub.daemons()[0], 'status');
		process.kill(hub.daemons()[0], 'SIGTERM');
		same((await running).code, 0, 'SIGTERM drains');
	},

	async the_mcp_command_is_the_adapter(hub) {
		const a = hub.adapter({ command: path.join(bin, 'executor'), args: ['mcp'] });
		await a.initialize();
		assert((await a.tools()).length > 0, 'tools');
	},
});
