// A bridge: hands out this Worker's KV binding over HTTP, one operation a request. The wire form is
// told in src/remote/bridge.rs.

export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    if (!(await mayEnter(request, url, env))) {
      return refuse(401, "the header x-bridge-secret is missing or wrong");
    }
    try {
      return await answer(request, url, env.KV);
    } catch (e) {
      // "KV PUT failed: 429 Too Many Requests"; what the runtime refuses by itself has no status.
      const status = /\bfailed: (\d{3})\b/.exec(e.message)?.[1];
      const isRefused = e instanceof TypeError || e instanceof RangeError || e instanceof SyntaxError;
      return refuse(status ?? (isRefused ? 400 : 500), e.message);
    }
  },
};

async function answer(request, url, kv) {
  const q = url.searchParams;
  const key = q.get("key");
  switch (`${request.method} ${url.pathname}`) {
    case "GET /value": {
      const value = await kv.get(key, { type: "arrayBuffer", ...whole(q, "cacheTtl") });
      return new Response(value, { status: value === null ? 204 : 200 });
    }
    case "POST /values": {
      const { keys, cacheTtl } = await request.json();
      const found = await kv.get(keys, { type: "text", ...(cacheTtl === undefined ? {} : { cacheTtl }) });
      return Response.json({ values: keys.map((k) => found.get(k) ?? null) });
    }
    case "PUT /value": {
      const metadata = q.has("metadata") ? { metadata: JSON.parse(q.get("metadata")) } : {};
      await kv.put(key, await request.arrayBuffer(), { ...whole(q, "expirationTtl"), ...metadata });
      return new Response(null, { status: 204 });
    }
    case "DELETE /value":
      await kv.delete(key);
      return new Response(null, { status: 204 });
    case "GET /keys": {
      const cursor = q.has("cursor") ? { cursor: q.get("cursor") } : {};
      const page = await kv.list({ prefix: q.get("prefix"), ...whole(q, "limit"), ...cursor });
      const keys = page.keys.map(({ name, metadata }) => ({ name, metadata: metadata ?? null }));
      return Response.json({ keys, cursor: page.list_complete ? null : page.cursor });
    }
    default:
      return refuse(404, "no such operation of the bridge");
  }
}

function whole(q, name) {
  return q.has(name) ? { [name]: Number(q.get(name)) } : {};
}

function refuse(status, error) {
  return Response.json({ error }, { status: Number(status) });
}

// Without a secret, only on one's own machine: a deployed Worker never has such a host.
async function mayEnter(request, url, env) {
  if (!env.BRIDGE_SECRET) {
    return ["127.0.0.1", "localhost", "[::1]"].includes(url.hostname);
  }
  const digest = (text) => crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  const given = await digest(request.headers.get("x-bridge-secret") ?? "");
  return crypto.subtle.timingSafeEqual(given, await digest(env.BRIDGE_SECRET));
}
