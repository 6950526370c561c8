// What servers ask when it is not a tool that runs: before anybody is there,
// for a prompt, for a resource.  Numbers are those of the cases in the list of
// black-box tests.
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { assert, same, scenarios, until } from '../support/harness.mjs';

const scripted = fileURLToPath(new URL('../support/scripted.mjs', import.meta.url));

// A scripted server; what it heard is in the file returned.
async function add(hub, name, script) {
	const transcript = path.join(hub.root, `${name}.transcript`);
	await hub.ok('source', 'add', name, '--env', `TRANSCRIPT=${transcript}`,
		'--', process.execPath, scripted, JSON.stringify({ name, ...script }));
	return () => (fs.existsSync(transcript) ? fs.readFileSync(transcript, 'utf8') : '')
		.split('\n').filter(Boolean).map(l => JSON.parse(l));
}

// A raw client that can be asked, unless it says otherwise.
async function connected(hub, capabilities = { elicitation: {}, roots: {} }) {
	const a = hub.adapter();
	const m = await a.ask('initialize', {
		protocolVersion: '2025-11-25', capabilities, clientInfo: { name: 'asks', version: '1' },
	});
	assert(m.result, JSON.stringify(m));
	a.notify('notifications/initialized');
	a.questions = () => a.notifications.filter(n => n.id !== undefined);
	a.reply = (id, answer) => a.write(JSON.stringify({ jsonrpc: '2.0', id, result: answer }));
	return a;
}

// A prompt, a resource of the list, one of a template, a completion.
const ways = {
	'prompts/get': [{ name: 'one__p' }, m => m.result.messages[0].content.text],
	'resources/read': [{ uri: 'r://x' }, m => m.result.contents[0].text],
};
const script = { prompts: ['p'], resources: ['r://x'], asks: Object.keys(ways) };

await scenarios({
	// 16
	async what_a_server_asks_before_anybody_is_there_reaches_nobody(hub) {
		const heard = await add(hub, 'one', { tools: ['t'], greets: ['ping', 'roots/list', 'sampling/createMessage'] });
		const answers = await until('its answers', () => {
			const all = heard().filter(m => !m.method && String(m.id).startsWith('ask-'));
			return all.length === 3 && all;
		});
		same(answers.find(m => m.id === 'ask-1').result, {}, 'ping');
		for (const id of ['ask-2', 'ask-3'])
			assert(answers.find(m => m.id === id).error, `${id} is refused`);
		const a = await connected(hub, { sampling: {}, roots: {} });
		same((await a.tools()).includes('one__t'), true, 'it works');
		same(a.questions(), [], 'what a client sees of it');
	},

	// 15, 56
	async prompts_and_resources_may_ask_whoever_wants_them(hub) {
		await add(hub, 'one', script);
		const [a, b] = [await connected(hub), await connected(hub)];
		for (const [method, [params, said]] of Object.entries(ways)) {
			const asked = a.questions().length;
			const answer = a.ask(method, params);
			const q = await until(`${method} asks`, () => a.questions()[asked]);
			same([q.method, q.params._meta['executor/source']], ['elicitation/create', 'one'], 'who asks what');
			a.reply(q.id, { action: 'accept', content: { who: method } });
			assert(said(await answer).includes(`"who":"${method}"`), method);
		}
		same(b.questions(), [], 'the other client is asked nothing');
	},

	// 56, 23
	async a_client_that_cannot_be_asked_gets_what_the_server_makes_of_it(hub) {
		await add(hub, 'one', script);
		const a = await connected(hub, {});
		for (const [method, [params, said]] of Object.entries(ways))
			assert(said(await a.ask(method, params)).includes('-32601'), `${method}: the server got an error`);
		same(a.questions(), [], 'it was asked nothing');
	},

	// 56
	async a_prompt_that_is_given_up_dismisses_its_question(hub) {
		const heard = await add(hub, 'one', script);
		const a = await connected(hub);
		for (const [i, [method, [params]]] of Object.entries(ways).entries()) {
			const id = `gone-${i}`;
			a.write(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
			const q = await until(`${method} asks`, () => a.questions()[i]);
			a.notify('notifications/cancelled', { requestId: id });
			await until('the server is answered', () => heard().find(m =>
				m.id === `ask-${i + 1}` && m.result?.action === 'cancel'));
			await until('the client is told', () => a.notifications.find(n =>
				n.method === 'notifications/cancelled' && n.params.requestId === q.id));
			await a.ask('ping');
			same(a.answers.get(id), undefined, 'no answer follows');
		}
	},

	// 56: of two that wait nobody is asked, whatever it is that they wait for.
	async of_two_that_read_nobody_is_asked_and_then_they_take_turns(hub) {
		const heard = await add(hub, 'one', { ...script, tools: ['t'], asks: [...script.asks, 'tools/call'] });
		const [a, b] = [await connected(hub), await connected(hub)];
		const reads = [a, b].map(adapter => adapter.ask('resources/read', { uri: 'r://x' }));
		// Whether the first is asked before the second comes, time decides.
		const done = Promise.all(reads);
		const stop = setInterval(() => [a, b].forEach(adapter => adapter.questions().slice(adapter.said ?? 0)
			.forEach(q => {
				adapter.said = (adapter.said ?? 0) + 1;
				adapter.reply(q.id, { action: 'accept', content: { who: adapter === a ? 'a' : 'b' } });
			})), 5);
		const texts = (await done.finally(() => clearInterval(stop))).map(m => m.result.contents[0].text);
		for (const [i, who] of ['a', 'b'].entries())
			assert(texts[i].includes(`"who":"${who}"`) || texts[i].includes('cancel'), `${who}: ${texts[i]}`);
		same(heard().filter(m => m.method === 'resources/read').length, 2, 'each was read once');
	},
});
