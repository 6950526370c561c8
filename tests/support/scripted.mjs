// An MCP server on stdin and stdout that is what its one argument says, JSON:
//
//   tools, prompts          names; every tool and prompt answers what it was
//                           asked under
//   resources, templates    URIs; reading one answers {text: name}
//   name                    what it calls itself there
//   completes               values for every completion/complete
//   page                    items a page; the first cursor is ""
//   sameCursor              a kind whose list never ends
//   delay                   ms before the first list of each kind is answered
//   asks                    methods that ask the user before they answer
//   greets                  methods that it asks of its client at once
//   subscribe               it can be subscribed to
//
// The tool "say" writes the notification that its arguments are.  Every line
// that it hears is one in $TRANSCRIPT.
import fs from 'node:fs';
import { createInterface } from 'node:readline';

const script = JSON.parse(process.argv[2]);
const waiting = new Map();
let asked = 0;

const write = m => process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...m })}\n`);

// The result of what the client is asked, or its error.
function ask(method, params) {
	const id = `ask-${++asked}`;
	write({ id, method, params });
	return new Promise(done => waiting.set(id, done));
}

const inputSchema = { type: 'object' };
const lists = {
	'tools/list': ['tools', name => ({ name, inputSchema })],
	'prompts/list': ['prompts', name => ({ name, arguments: [{ name: 'who' }] })],
	'resources/list': ['resources', uri => ({ uri, name: `${script.name} ${uri}` })],
	'resources/templates/list': ['templates', uriTemplate => ({ uriTemplate, name: script.name })],
};
const listed = new Set();

async function list(method, { cursor } = {}) {
	const [kind, describe] = lists[method];
	const member = kind === 'templates' ? 'resourceTemplates' : kind;
	const items = script[kind] ?? [];
	if (script.delay && !listed.has(method))
		await new Promise(done => setTimeout(done, script.delay));
	listed.add(method);
	if (script.sameCursor === kind)
		return { [member]: items.map(describe), nextCursor: 'again' };
	const size = script.page ?? items.length;
	// "" is the second page's.
	const at = cursor === undefined ? 0 : cursor === '' ? size : Number(cursor);
	const next = at + size < items.length ? { nextCursor: at === 0 ? '' : String(at + size) } : {};
	return { [member]: items.slice(at, at + size).map(describe), ...next };
}

async function run(method, params) {
	if (lists[method])
		return list(method, params);
	const answer = script.asks?.includes(method) ? await ask('elicitation/create', {
		message: 'who are you?', requestedSchema: { type: 'object', properties: { who: { type: 'string' } } },
	}) : null;
	const said = answer ? JSON.stringify(answer.result ?? answer.error) : script.name;
	switch (method) {
	case 'initialize':
		return {
			protocolVersion: params.protocolVersion,
			capabilities: {
				tools: { listChanged: true }, prompts: {},
				resources: script.subscribe ? { subscribe: true } : {},
				...(script.completes ? { completions: {} } : {}),
			},
			serverInfo: { name: script.name, version: '1' },
		};
	case 'tools/call':
		if (params.name === 'say')
			write(params.arguments);
		return { content: [{ type: 'text', text: `${said} ${params.name}` }] };
	case 'prompts/get':
		return { messages: [{ role: 'user', content: { type: 'text', text: `${said} ${params.name}` } }] };
	case 'resources/read':
		if (params.uri.includes('missing'))
			throw { code: -32002, message: 'no such thing', data: { uri: params.uri } };
		return { contents: [{ uri: params.uri, text: said }] };
	case 'completion/complete':
		return { completion: { values: script.completes } };
	default:
		return {};
	}
}

async function onRequest({ id, method, params }) {
	try {
		write({ id, result: await run(method, params) });
	} catch (error) {
		write({ id, error: error.code ? error : { code: -32603, message: String(error) } });
	}
}

createInterface({ input: process.stdin }).on('line', line => {
	if (process.env.TRANSCRIPT)
		fs.appendFileSync(process.env.TRANSCRIPT, `${line}\n`);
	const m = JSON.parse(line);
	if (m.method && m.id !== undefined)
		onRequest(m);
	else if (m.method === 'notifications/initialized')
		script.greets?.forEach(method => ask(method, {}));
	else if (!m.method)
		waiting.get(m.id)?.(m);
});
