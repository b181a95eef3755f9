// Clients that each ask a server for one image after another: node clients.mjs URL CLIENTS SECONDS. Prints one line of JSON.
const [url, clients, seconds] = process.argv.slice(2);
const until = performance.now() + Number(seconds) * 1000;
const milliseconds = [];
let failed = 0;

const ask = async (seed) => {
  const began = performance.now();
  const response = await fetch(`${url}/v1/images`, {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/octet-stream" },
    body: JSON.stringify({ seed }),
  });
  await response.arrayBuffer();
  if (response.ok) milliseconds.push(performance.now() - began);
  else failed++;
};

const client = async (id) => {
  for (let k = 0; performance.now() < until; k++) await ask(id * 1_000_000 + k);
};

await Promise.all(Array.from({ length: Number(clients) }, (_, id) => client(id)));
console.log(JSON.stringify({ milliseconds, failed }));
