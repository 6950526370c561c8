// An MCP server whose tool `text` answers with as many bytes as it is asked for.
import { createInterface } from 'node:readline';

const results = {
	initialize: () => ({
		protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'large_source', version: '1' },
	}),
	'tools/list': () => ({ tools: [{ name: 'text', inputSchema: { type: 'object' } }] }),
	'tools/call': params => ({ content: [{ type: 'text', text: 'x'.repeat(params.arguments.bytes) }] }),
};

createInterface({ input: process.stdin }).on('line', line => {
	const { id, method, params } = JSON.parse(line);
	if (id !== undefined)
		console.log(JSON.stringify({ jsonrpc: '2.0', id, result: results[method]?.(params) ?? {} }));
});
