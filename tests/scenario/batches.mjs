// JSON-RPC batches, which revision 2025-03-26 has and no other: split on the
// way in, joined on the way out, whatever becomes of the daemon meanwhile.
import path from 'node:path';
import { bin, bounded, same, scenarios, until } from '../support/harness.mjs';

const fake = path.join(bin, '..', 'tests', 'fake_source');
const request = (id, method, params) => ({ jsonrpc: '2.0', id, method, params });
const call = (id, name, args = {}) => request(id, 'tools/call', { name, arguments: args });
const notification = (method, params) => ({ jsonrpc: '2.0', method, params });

async function connected(hub, revision = '2025-03-26') {
	await hub.addSource('fake', fake, 'all-tools');
	const adapter = hub.adapter();
	await adapter.initialize(revision);
	await adapter.tools();
	return adapter;
}

// The next line that is an array, or an error without an id.
function joined(adapter) {
	return bounded(new Promise(done => {
		adapter.onLine = line => {
			const m = JSON.parse(line);
			if (!Array.isArray(m) && m.id !== null)
				return;
			adapter.onLine = null;
			done(m);
		};
	}), 'the answer to a batch');
}

function send(adapter, batch) {
	const answer = joined(adapter);
	adapter.write(typeof batch === 'string' ? batch : JSON.stringify(batch));
	return answer;
}

const byId = answers => Object.fromEntries(answers.map(m => [JSON.stringify(m.id), m]));

await scenarios({
	// 50 of the list of black-box tests
	// 50
	async three_requests_and_a_notification_get_three_answers(hub) {
		const adapter = await connected(hub);
		const answers = await send(adapter, [
			call('slow', 'fake__slow', { ms: 300 }), notification('notifications/progress', {}),
			request(7, 'ping'), call('7', 'fake__add', { a: 2, b: 40 }),
		]);
		same(answers.length, 3, JSON.stringify(answers));
		const got = byId(answers);
		same(got['7'].result, {}, 'ping');
		same(got['"7"'].result.content[0].text, '42', 'add');
		same(got['"slow"'].result, { content: [] }, 'slow');
	},

	async what_is_wrong_in_a_batch_is_answered_in_it(hub) {
		const adapter = await connected(hub);
		const answers = await send(adapter, '[{"jsonrpc":"2.0","id":1.5,"method":"ping"},7,' +
			'{"jsonrpc":"2.0","id":"a","method":"no/such"},' +
			'{"jsonrpc":"2.0","id":"b","method":"initialize","params":{}},' +
			'{"jsonrpc":"2.0","id":"c","method":"ping"}]');
		same(answers.length, 5, JSON.stringify(answers));
		const got = byId(answers);
		same(got['"a"'].error.code, -32601, 'an unknown method');
		// 2025-03-26, Lifecycle: "The initialize request MUST NOT be part of a JSON-RPC batch".
		same(got['"b"'].error.code, -32600, 'initialize');
		same(got['"c"'].result, {}, 'ping');
		same(answers.filter(m => m.id === null).map(m => m.error.code), [-32600, -32600], 'no requests');
	},

	async a_duplicate_id_in_a_batch_is_refused(hub) {
		const adapter = await connected(hub);
		const answers = await send(adapter, [
			call('d', 'fake__slow', { ms: 300 }), call('d', 'fake__add', { a: 1, b: 1 }),
		]);
		same(answers.map(m => [m.id, m.error?.code]), [['d', -32600], ['d', undefined]], JSON.stringify(answers));
	},

	async notifications_alone_get_no_answer(hub) {
		const adapter = await connected(hub);
		const seen = [];
		adapter.onLine = line => seen.push(line);
		adapter.write(JSON.stringify([notification('notifications/progress', {}),
			notification('notifications/cancelled', { requestId: 99 })]));
		same((await adapter.ask('ping', undefined, 'after')).result, {}, 'ping');
		same(seen.filter(l => l.startsWith('[')), [], 'arrays');
	},

	async one_that_is_cancelled_is_missing_in_the_answer(hub) {
		const adapter = await connected(hub);
		const answer = joined(adapter);
		adapter.write(JSON.stringify([call('h', 'fake__hold'), call('e', 'fake__add', { a: 1, b: 2 })]));
		adapter.notify('notifications/cancelled', { requestId: 'h' });
		same((await answer).map(m => m.id), ['e'], 'who is answered');
		// In the same batch as well.
		same((await send(adapter, [
			call('h', 'fake__hold'), notification('notifications/cancelled', { requestId: 'h' }), request('p', 'ping'),
		])).map(m => m.id), ['p'], 'who is answered');
	},

	async a_batch_is_answered_whole_though_the_daemon_dies(hub) {
		const adapter = await connected(hub);
		const answer = joined(adapter);
		adapter.write(JSON.stringify([call('h', 'fake__hold'), request('p', 'ping'), request('l', 'tools/list')]));
		await until('it is held', async () => JSON.parse(await hub.ok('status', '-o', 'json'))
			.sessions[0].requests_in_flight === 1);
		process.kill(hub.daemons()[0], 'SIGKILL');
		const got = byId(await answer);
		same(got['"h"'].error.data.reason, 'outcome_unknown', JSON.stringify(got));
		same(got['"p"'].result, {}, 'ping');
		same(Array.isArray(got['"l"'].result.tools), true, 'tools/list');
	},

	async other_revisions_have_no_batches(hub) {
		for (const revision of ['2024-11-05', '2025-06-18', '2025-11-25']) {
			const adapter = hub.adapter();
			await adapter.initialize(revision);
			await adapter.tools(); // a daemon is there
			const m = await send(adapter, [request('a', 'ping')]);
			same([m.id, m.error?.code], [null, -32600], revision);
			await adapter.close();
		}
		const adapter = hub.adapter();
		await adapter.initialize('2025-03-26');
		same((await send(adapter, '[]')).error.code, -32600, 'an empty one');
		same((await send(adapter, '[{"jsonrpc":"2.0","id":1,')).error.code, -32700, 'a torn one');
	},
});
