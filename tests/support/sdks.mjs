// The clients of all SDKs, under one face.
import path from 'node:path';
import { bin, bounded } from './harness.mjs';

// The package, the revision that it asks for, and how its client is made.
export const sdks = [
	['sdk-1.0.1', '2024-11-05'],
	['sdk-1.11.0', '2025-03-26'],
	['sdk-1.17.0', '2025-06-18'],
	['@modelcontextprotocol/sdk', '2025-11-25'],
	['@modelcontextprotocol/client', '2025-11-25'],
];

export async function load(name) {
	if (name === '@modelcontextprotocol/client') {
		const { Client } = await import(name);
		const { StdioClientTransport } = await import(`${name}/stdio`);
		return { Client, StdioClientTransport, second: true };
	}
	const { Client } = await import(`${name}/client/index.js`);
	const { StdioClientTransport } = await import(`${name}/client/stdio.js`);
	const types = await import(`${name}/types.js`);
	return { Client, StdioClientTransport, types };
}

export class Sdk {
	async connect(hub, name) {
		const { Client, StdioClientTransport, types, second } = await load(name);
		this.second = second;
		this.types = types;
		this.client = new Client({ name, version: '1' }, {
			capabilities: {},
			...(second ? { versionNegotiation: { mode: 'legacy' } } : {}),
		});
		this.updates = [];
		const note = n => { this.updates.push(n.params.uri); };
		if (second)
			this.client.setNotificationHandler('notifications/resources/updated', note);
		else
			this.client.setNotificationHandler(types.ResourceUpdatedNotificationSchema, note);
		await bounded(this.client.connect(new StdioClientTransport({
			command: path.join(bin, 'executor-mcp-adapter'), env: hub.env, stderr: 'ignore',
		})), `${name} connects`);
		return this;
	}

	async tools() {
		return (await bounded(this.client.listTools(), 'tools/list')).tools;
	}

	call(name, args = {}, options) {
		const params = { name, arguments: args };
		return bounded(this.second ? this.client.callTool(params, options) :
			this.client.callTool(params, undefined, options), name);
	}
}

// Run body with a client of each SDK.
export async function each(hub, body) {
	for (const [name, revision] of sdks) {
		const sdk = await new Sdk().connect(hub, name);
		try {
			await body(sdk, revision, name);
		} catch (error) {
			error.message = `${name}: ${error.message}`;
			throw error;
		}
		await sdk.client.close();
	}
}
