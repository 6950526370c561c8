// What sources ask of clients, through the real programs: it reaches the right
// one, or nobody.
// Numbers are those of the cases in the list of black-box tests.
import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import {
	CreateMessageRequestSchema, ElicitRequestSchema, ListRootsRequestSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { assert, bin, everything, filesystem, same, scenarios, until } from '../support/harness.mjs';

const fake = path.join(bin, '..', 'tests', 'fake_source');
const able = { elicitation: { form: {}, url: {} }, sampling: {}, roots: { listChanged: true } };
const text = result => result.content.map(c => c.text ?? '').join('\n');

// A raw client with these capabilities.
async function raw(hub, capabilities = able, options) {
	const a = hub.adapter(options);
	const m = await a.ask('initialize', {
		protocolVersion: '2025-11-25', capabilities,
		clientInfo: { name: 'asks', version: '1' },
	});
	assert(m.result, JSON.stringify(m));
	a.notify('notifications/initialized');
	a.questions = () => a.notifications.filter(n => n.id !== undefined);
	a.reply = (id, result) => a.write(JSON.stringify({ jsonrpc: '2.0', id, result }));
	await until('the tools', async () => (await a.tools()).length > 5);
	return a;
}

const question = (a, n = 0) => until('a question', () => a.questions()[n]);

// The SDK's client, which answers what it is asked.
async function sdk(hub, answers, capabilities = able) {
	const client = new Client({ name: 'sdk', version: '1' }, { capabilities });
	client.asked = [];
	const schemas = {
		elicit: ElicitRequestSchema, sample: CreateMessageRequestSchema, roots: ListRootsRequestSchema,
	};
	for (const [kind, answer] of Object.entries(answers))
		client.setRequestHandler(schemas[kind], request => {
			client.asked.push(request);
			return answer(request);
		});
	await client.connect(new StdioClientTransport({
		command: path.join(bin, 'executor-mcp-adapter'), env: hub.env, stderr: 'ignore',
	}));
	await until('the tools', async () => (await client.listTools()).tools.length > 5);
	return client;
}

// The fake source; its transcript is in the file returned.
async function addFake(hub, ...options) {
	const transcript = path.join(hub.root, 'transcript');
	await hub.ok('source', 'add', 'fake', '--env', `TRANSCRIPT=${transcript}`,
		...options, '--', fake, 'all-tools');
	return () => fs.existsSync(transcript) ? fs.readFileSync(transcript, 'utf8') : '';
}

const elicit = { method: 'elicitation/create', params: { message: 'sure?', requestedSchema: { type: 'object', properties: {} } } };
const answersOf = m => m.result.structuredContent.answers.map(a => a.result ?? a.error);

await scenarios({
	// 15
	async a_prompt_reaches_the_one_that_calls(hub) {
		await hub.addEverything();
		const [a, b] = [await raw(hub), await raw(hub)];
		const call = a.call('everything__trigger-elicitation-request');
		const q = await question(a);
		same(q.method, 'elicitation/create', 'what is asked');
		same(q.params._meta['executor/source'], 'everything', 'who asks');
		a.reply(q.id, { action: 'accept', content: { name: 'Ann' } });
		const m = await call;
		assert(text(m.result).includes('Ann'), JSON.stringify(m));
		// 25: a decline is no error.
		const declined = a.call('everything__trigger-elicitation-request');
		a.reply((await question(a, 1)).id, { action: 'decline' });
		assert(text((await declined).result).includes('"action": "decline"'), 'declined');
		same(b.questions(), [], 'the other client is asked nothing');
	},

	async of_two_callers_nobody_is_asked_and_then_they_take_turns(hub) {
		const transcript = await addFake(hub);
		const [a, b] = [await raw(hub), await raw(hub)];
		const held = a.call('fake__slow', { ms: 3000 });
		await until('the first call is at the source', () => transcript().includes('"slow"'));
		const call = await b.call('fake__ask', elicit);
		same(answersOf(call), [{ action: 'cancel' }], 'the answer for nobody');
		await held;
		same([a.questions(), b.questions()], [[], []], 'nobody was asked');
		assert((await hub.ok('source', 'show', 'fake')).includes('always'), 'it is interactive now');

		const first = a.call('fake__ask', elicit);
		const q = await question(a);
		const second = b.call('fake__ask', elicit);
		const third = b.call('fake__ask', elicit);
		// Whoever is asked may call meanwhile.
		same((await a.call('fake__echo', { n: 1 })).result.structuredContent, { n: 1 }, 'a nested call');
		same(b.questions(), [], 'the second waits for its turn');
		a.reply(q.id, { action: 'accept', content: { who: 'a' } });
		same(answersOf(await first), [{ action: 'accept', content: { who: 'a' } }], 'the first');
		b.reply((await question(b, 0)).id, { action: 'accept', content: { who: 'b' } });
		b.reply((await question(b, 1)).id, { action: 'accept', content: { who: 'b' } });
		for (const m of [await second, await third])
			same(answersOf(m), [{ action: 'accept', content: { who: 'b' } }], 'the second');
		same(a.questions().length, 1, 'the first was asked once');

		// It stays so after a restart, and waiting calls can be given up.
		await hub.ok('daemon', 'stop');
		const again = a.call('fake__ask', elicit);
		const r = await question(a, 1);
		const waits = b.call('fake__echo', { n: 2 }, undefined);
		b.notify('notifications/cancelled', { requestId: b.next - 1 });
		waits.catch(() => {});
		const last = b.call('fake__echo', { n: 3 });
		a.reply(r.id, { action: 'decline' });
		same(answersOf(await again), [{ action: 'decline' }], 'after a restart');
		same((await last).result.structuredContent, { n: 3 }, 'the next in the queue');
		same(b.answers.get(b.next - 2), undefined, 'the one that was given up');
		b.waiting.clear();
	},

	async the_sdk_answers_everything(hub) {
		await hub.ok('source', 'add', 'everything', '--roots', 'client', '--',
			process.execPath, everything);
		const client = await sdk(hub, {
			elicit: () => ({ action: 'accept', content: { name: 'Bob' } }),
			sample: () => ({
				model: 'm', role: 'assistant', stopReason: 'endTurn',
				content: { type: 'text', text: 'sampled here' },
			}),
			roots: () => ({ roots: [{ uri: 'file:///the/root', name: 'the root' }] }),
		});
		const call = (tool, args = {}) => client.callTool({ name: `everything__${tool}`, arguments: args }).then(text);
		assert((await call('trigger-elicitation-request')).includes('Bob'), 'elicitation');
		assert((await call('trigger-sampling-request', { prompt: 'p', maxTokens: 5 })).includes('sampled here'), 'sampling');
		assert((await call('get-roots-list')).includes('file:///the/root'), 'roots');
		assert((await call('trigger-url-elicitation', { url: 'https://example.com/', message: 'go' }))
			.includes('"action": "accept"'), 'url');
		const modes = client.asked.filter(r => r.method === 'elicitation/create').map(r => r.params.mode ?? 'form');
		same(modes, ['form', 'url'], 'modes of elicitation');
		for (const request of client.asked)
			same(request.params._meta['executor/source'], 'everything', 'who asks');
		await client.close();
	},

	// 23
	async a_client_that_cannot_is_not_asked(hub) {
		await hub.addEverything();
		const client = await sdk(hub, {}, {});
		for (const [tool, args] of [
			['trigger-sampling-request', { prompt: 'p', maxTokens: 5 }], ['trigger-elicitation-request', {}],
		]) {
			const result = await client.callTool({ name: `everything__${tool}`, arguments: args });
			assert(result.isError && text(result).includes('does not support'), JSON.stringify(result));
		}
		// Roots are no client's unless the source is set so.
		assert(!(await client.listTools()).tools.some(t => t.name.includes('roots')), 'no roots');
		await client.close();
		await hub.ok('source', 'set', 'everything', '--interactive', 'never');
		await hub.ok('daemon', 'stop');
		const other = await sdk(hub, {}, {});
		await until('tools of a client that can be asked are gone', async () =>
			!(await other.listTools()).tools.some(t => t.name.includes('elicitation')));
		await other.close();
	},

	// 17
	async roots_of_one_client_change_nothing_for_others(hub) {
		const [own, others] = ['own', 'others'].map(d => path.join(hub.root, d));
		fs.mkdirSync(own);
		fs.mkdirSync(others);
		await hub.addSource('fs', process.execPath, filesystem, own);
		const roots = () => ({ roots: [{ uri: pathToFileURL(others).href }] });
		const [a, b] = [await sdk(hub, { roots }), await sdk(hub, {}, {})];
		for (const client of [a, b]) {
			if (client === a)
				await client.sendRootsListChanged();
			const dirs = text(await client.callTool({ name: 'fs__list_allowed_directories', arguments: {} }));
			assert(dirs.includes(own) && !dirs.includes(others), dirs);
		}
		same(a.asked, [], 'the client is not asked for its roots');
		await a.close();
		await b.close();
	},

	async a_client_that_is_killed_has_dismissed_it(hub) {
		const transcript = await addFake(hub);
		const a = await raw(hub);
		a.call('fake__ask', elicit).catch(() => {});
		await question(a);
		await a.close(); // its end of the pipe goes with it
		await until('the source hears that nobody answers', () =>
			transcript().includes('"result":{"action":"cancel"}'));
		await until('and that nobody wants its result', () => transcript().includes('notifications/cancelled'));
	},

	async a_daemon_that_is_killed_withdraws_its_questions(hub) {
		const transcript = await addFake(hub);
		const a = await raw(hub);
		const call = a.call('fake__ask', elicit);
		const q = await question(a);
		for (const pid of hub.daemons())
			process.kill(pid, 'SIGKILL');
		assert((await call).error, 'the outcome is unknown');
		const withdrawn = await until('the question is withdrawn', () =>
			a.notifications.find(n => n.method === 'notifications/cancelled'));
		same(withdrawn.params.requestId, q.id, 'which one');
		a.reply(q.id, { action: 'accept', content: { late: true } });
		const next = a.call('fake__ask', elicit);
		const r = await question(a, 1);
		assert(r.id !== q.id, `the same id twice: ${q.id}`);
		a.reply(r.id, { action: 'decline' });
		same(answersOf(await next), [{ action: 'decline' }], 'the next question');
		assert(!transcript().includes('late'), 'a late answer reached a source');
	},

	async a_daemon_that_stops_dismisses_its_questions(hub) {
		const transcript = await addFake(hub);
		const a = await raw(hub);
		const call = a.call('fake__ask', elicit);
		const q = await question(a);
		await hub.ok('daemon', 'stop');
		same(answersOf(await call), [{ action: 'cancel' }], 'the answer for nobody');
		same(a.notifications.filter(n => n.method === 'notifications/cancelled').map(n => n.params.requestId),
			[q.id], 'withdrawn once');
		assert(transcript().includes('"action":"cancel"'), 'the source has heard');
	},
});
