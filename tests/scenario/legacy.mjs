// Clients with an `initialize` in front of a shared source with one: whose
// answer, progress, log message and end it is.  Numbers are those of the cases
// in the list of black-box tests.
import fs from 'node:fs';
import path from 'node:path';
import { spawn } from 'node:child_process';
import { assert, bin, bounded, same, scenarios, until } from '../support/harness.mjs';

const fake = path.join(bin, '..', 'tests', 'fake_source');

const lines = file => fs.existsSync(file) ?
	fs.readFileSync(file, 'utf8').split('\n').filter(Boolean) : [];

// A source that writes down what it hears.
async function addFake(hub) {
	hub.transcript = path.join(hub.root, 'transcript');
	hub.effects = path.join(hub.root, 'effects');
	await hub.ok('source', 'add', 'fake', '--env', `TRANSCRIPT=${hub.transcript}`,
		'--env', `EFFECTS=${hub.effects}`, '-q', '--', fake, 'all-tools');
}

const heard = (hub, method) => lines(hub.transcript).map(l => JSON.parse(l))
	.filter(m => m.method === method);

async function connected(hub, revision) {
	const adapter = hub.adapter();
	await adapter.initialize(revision);
	await adapter.tools();
	return adapter;
}

const call = (id, name, args, meta) => JSON.stringify({
	jsonrpc: '2.0', id, method: 'tools/call',
	params: { name, arguments: args, ...(meta ? { _meta: meta } : {}) },
});

// The next line for which test() holds, as it was sent.
function lineOf(adapter, test) {
	return bounded(new Promise(done => {
		adapter.onLine = line => {
			if (!test(line))
				return;
			adapter.onLine = null;
			done(line);
		};
	}), 'a line');
}

const wait = (adapter, id) => bounded(new Promise((done, fail) => {
	adapter.waiting.set(id, { done, fail });
}), `id ${id}`);

const long = (seconds, steps) => ({ duration: seconds, steps });

await scenarios({
	// 8, 9
	async equal_ids_and_tokens_of_two_clients_are_two(hub) {
		await hub.addEverything('ev');
		const all = [await connected(hub), await connected(hub)];
		const name = 'ev__trigger-long-running-operation';
		// Two ids and two tokens each, that differ by their kind alone.
		const asked = all.flatMap((adapter, i) => [[101, '7', 3 + i], ['101', 7, 5 + i]]
			.map(([id, token, steps]) => ({ adapter, id, token, steps })));
		for (const a of asked) {
			a.answer = wait(a.adapter, a.id);
			a.adapter.write(call(a.id, name, long(0.6, a.steps), { progressToken: a.token }));
		}
		const seen = new Map(all.map(adapter => [adapter, []]));
		for (const adapter of all)
			adapter.onLine = line => seen.get(adapter).push(JSON.parse(line));
		for (const { adapter, id, token, steps, answer } of asked) {
			const m = await answer;
			assert(m.result.content[0].text.includes(`Steps: ${steps}`), `id ${JSON.stringify(id)}: ${JSON.stringify(m)}`);
			const mine = seen.get(adapter);
			const end = mine.findIndex(x => x.id === id);
			const progress = mine.map((x, at) => ({ ...x.params, at }))
				.filter(p => p.progressToken === token);
			assert(progress.length > 0, `progress of ${JSON.stringify(token)}`);
			for (const [i, p] of progress.entries()) {
				same(p.total, steps, 'whose progress it is');
				assert(p.at < end, 'before its result');
				assert(i === 0 || p.progress > progress[i - 1].progress, 'rising');
			}
		}
		for (const { adapter, id } of asked)
			same(adapter.answers.get(id), 1, 'answers');
	},

	// 10
	async progress_that_nobody_asked_for_reaches_nobody(hub) {
		await addFake(hub);
		const [a, b] = [await connected(hub), await connected(hub)];
		assert((await a.call('fake__unasked')).result, 'the call');
		const held = b.call('fake__hold', {}, { progressToken: 't' }).catch(() => {});
		await until('it is held', () => heard(hub, 'tools/call').length === 2);
		assert((await a.call('fake__unasked', {}, { progressToken: 'mine' })).result, 'the call');
		await b.call('fake__add', { a: 1, b: 2 });
		const progress = adapter => adapter.notifications.filter(n => n.method === 'notifications/progress');
		same(progress(b), [], 'what the other client hears');
		// By the token that the source was given; nothing by the others.
		same(progress(a).map(n => [n.params.progressToken, n.params.progress]), [['mine', 0]], 'progress');
		await b.close();
		await held;
	},

	// 11
	async a_cancelled_call_is_cancelled_by_its_own_id(hub) {
		await addFake(hub);
		const [a, b] = [await connected(hub), await connected(hub)];
		a.write(call('x', 'fake__hold', { who: 'a' }));
		const other = wait(b, 'x');
		b.write(call('x', 'fake__slow', { who: 'b', ms: 1500 }));
		await until('both run', () => heard(hub, 'tools/call').length === 2);
		a.notify('notifications/cancelled', { requestId: 'x', reason: 'no more' });
		await until('the source is told', () => heard(hub, 'notifications/cancelled').length > 0);
		const ids = Object.fromEntries(heard(hub, 'tools/call')
			.map(m => [m.params.arguments.who, m.id]));
		assert(ids.a !== ids.b, 'two ids');
		same(heard(hub, 'notifications/cancelled').map(m => m.params),
			[{ requestId: ids.a, reason: 'no more' }], 'what was cancelled');
		assert((await other).result, 'the other one goes on');
		await a.ask('ping');
		same(a.answers.get('x'), undefined, 'answers to the cancelled one');
		// The id is free again.
		const again = wait(a, 'x');
		a.write(call('x', 'fake__add', { a: 2, b: 40 }));
		same((await again).result.content[0].text, '42', 'the next request with that id');
	},

	// 12
	async a_cancellation_of_what_is_not_ones_own_is_ignored(hub) {
		await addFake(hub);
		const [a, b] = [await connected(hub), await connected(hub)];
		const done = wait(a, 'done');
		a.write(call('done', 'fake__add', { a: 1, b: 1 }));
		await done;
		a.write(call(77, 'fake__hold', {}));
		await until('it is held', () => heard(hub, 'tools/call').length === 2);
		b.notify('notifications/cancelled', { requestId: 77 }); // another client's
		for (const requestId of ['77', 'done', 78, null, {}, undefined])
			a.notify('notifications/cancelled', { requestId });
		for (const adapter of [a, b])
			assert((await adapter.call('fake__add', { a: 1, b: 2 })).result, 'a later call');
		same(heard(hub, 'notifications/cancelled'), [], 'what the source hears');
		a.notify('notifications/cancelled', { requestId: 77 });
		await until('its own it can cancel', () => heard(hub, 'notifications/cancelled').length === 1);
	},

	// 32
	async each_client_has_its_own_log_level(hub) {
		await addFake(hub);
		const levels = { a: 'debug', b: 'error', c: null };
		const wants = { a: 8, b: 4, c: 7 }; // c, who says nothing: info
		const all = {};
		for (const [who, level] of Object.entries(levels)) {
			all[who] = await connected(hub);
			if (level)
				same((await all[who].ask('logging/setLevel', { level })).result, {}, 'setLevel');
		}
		await until('the source logs for the most verbose', () =>
			heard(hub, 'logging/setLevel').at(-1)?.params.level === 'debug');
		const logs = who => all[who].notifications.filter(n => n.method === 'notifications/message');
		for (const who of Object.keys(all)) {
			await all[who].call('fake__levels');
			for (const other of Object.keys(all)) {
				same(logs(other).length, other === who ? wants[who] : 0, `messages for ${other} while ${who} calls`);
				all[other].notifications.length = 0;
			}
		}
		// Of nobody's call: to each, by its level.
		await all.b.call('fake__levels', { after: true });
		await until('everybody is told', () =>
			Object.keys(all).every(who => logs(who).length >= wants[who]));
		await all.b.call('fake__add', { a: 1, b: 1 });
		for (const who of Object.keys(all))
			same(logs(who).length, wants[who], `messages for ${who}`);
		// When the most verbose one leaves, the source is told that too.
		await all.a.close();
		await until('info is enough now', () =>
			heard(hub, 'logging/setLevel').at(-1)?.params.level === 'info');
	},

	// 34: through the way of each revision.
	async no_byte_changes_but_what_a_revision_cannot_take(hub) {
		await addFake(hub);
		const evil = '{"big":9007199254740993,"one":1.0,"huge":1e400,"zero":-0,"nul":"a\\u0000b",' +
			'"lone":"\\ud800","sep":"\u2028\u2029","esc\\u0061ped":[ 1 ,\t2 ],"dup":1,"dup":2}';
		const result = `{ "future":${evil},"content":[ {"type":"text","text":"\\u00e9","x":${evil}}, ` +
			`{"type":"resource","resource":{"uri":"a:b","text":""}} ] ,"_meta":{"a":{"b":${evil}}},"isError":false}`;
		for (const revision of ['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25']) {
			const adapter = await connected(hub, revision);
			const answer = lineOf(adapter, l => l.includes('"evil"'));
			adapter.write(`{"jsonrpc":"2.0","method":"tools/call","params":{"_meta":{"k":${evil},"progressToken":1},` +
				`"name":"fake__answer","arguments":${result}},"id":"evil"}`);
			assert((await answer).includes(`"result":${result}`), await answer);
			const call = lines(hub.transcript).findLast(l => l.includes('tools/call'));
			assert(call.includes(`"arguments":${result}`) && call.includes(`"k":${evil}`), call);
			await adapter.close();
		}
	},

	// 36
	async an_image_of_20_mib_is_delivered_to_old_and_new(hub) {
		await addFake(hub);
		const data = 'QUJD'.repeat(5 << 20);
		for (const revision of ['2024-11-05', '2025-11-25']) {
			const adapter = await connected(hub, revision);
			const { result } = await adapter.call('fake__answer', {
				content: [{ type: 'image', data, mimeType: 'image/png' }],
			});
			assert(result.content[0].data === data, 'the image');
			await adapter.close();
		}
	},

	// 52
	async a_killed_source_fails_its_calls_and_comes_back(hub) {
		await addFake(hub);
		const [a, b] = [await connected(hub), await connected(hub)];
		const held = b.call('fake__hold', { once: 'b' });
		await until('it is held', () => heard(hub, 'tools/call').length === 1);
		const crashed = await a.call('fake__crash', { how: 'signal' });
		for (const m of [crashed, await held]) {
			same(m.error?.code, -32603, JSON.stringify(m));
			same(m.error.data.source, 'fake', 'whose fault it is');
			same(m.error.data.reason, 'outcome_unknown', 'reason');
		}
		const next = await until('it comes back', async () => {
			const m = await a.call('fake__add', { a: 2, b: 40 });
			return m.result ?? (assert(m.error.data.reason === 'source_down', JSON.stringify(m)), null);
		});
		same(next.content[0].text, '42', 'the next call');
		const ran = lines(hub.effects);
		same(ran.filter(l => !l.startsWith('add')).sort(), ['crash {"how":"signal"}', 'hold {"once":"b"}'], 'each ran once');
	},

	// 54
	async what_a_killed_client_had_open_is_cancelled(hub) {
		await addFake(hub);
		const watcher = await connected(hub);
		const said = [
			JSON.stringify({
				jsonrpc: '2.0', id: 0, method: 'initialize',
				params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'victim', version: '1' } },
			}), ...[1, 2, 3].map(id => call(id, 'fake__hold', { id })), '',
		].join('\n');
		const client = spawn(process.execPath, ['-e', `
			const adapter = require('child_process').spawn(process.argv[1]);
			adapter.stdin.write(process.argv[2]);
		`, path.join(bin, 'executor-mcp-adapter'), said], { env: hub.env, stdio: 'ignore' });
		const ended = new Promise(done => client.on('exit', done));
		await until('three calls are open', () => heard(hub, 'tools/call').length === 3);
		const sessions = async () => JSON.parse(await hub.ok('status', '-o', 'json')).sessions;
		same((await sessions()).length, 2, 'sessions');
		client.kill('SIGKILL');
		await bounded(ended, 'the end of the client');
		await until('three cancellations', () => heard(hub, 'notifications/cancelled').length === 3);
		same(heard(hub, 'notifications/cancelled').map(m => m.params.requestId).sort(),
			heard(hub, 'tools/call').map(m => m.id).sort(), 'what was cancelled');
		await until('its session is gone', async () => (await sessions()).length === 1);
		await until('its adapter is gone', () => hub.left().length === 3); // watcher, daemon, source
		same((await watcher.call('fake__add', { a: 2, b: 40 })).result.content[0].text, '42', 'others');
	},

	async a_duplicate_id_is_refused_and_the_first_goes_on(hub) {
		await addFake(hub);
		const a = await connected(hub);
		const seen = [];
		a.onLine = line => seen.push(JSON.parse(line));
		a.write(call('d', 'fake__slow', { ms: 700 }));
		a.write(call('d', 'fake__add', { a: 1, b: 1 }));
		a.write('{"jsonrpc":"2.0","id":"d","method":"tools/list"}');
		await until('three answers', () => seen.filter(m => m.id === 'd').length === 3);
		const [first, second, third] = seen.filter(m => m.id === 'd');
		same([first.error?.code, second.error?.code], [-32600, -32600], 'the duplicates');
		same(third.result, { content: [] }, 'the first');
		same(heard(hub, 'tools/call').length, 1, 'calls at the source');
	},
});
