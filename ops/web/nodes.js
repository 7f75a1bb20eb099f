// SPDX-License-Identifier: Apache-2.0
// The nodes of the cluster, from GET /demo/nodes; nothing is shown where there is but one.

const INTERVAL_MS = 2000;

const at = (id) => document.getElementById(id);

function uptime(seconds) {
  const minutes = Math.floor(seconds / 60);
  return minutes < 1 ? `${seconds} s` : minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h`;
}

function cell(name, className, content) {
  const element = document.createElement(name);
  element.className = className;
  element.append(content);
  return element;
}

// The first node of the list is the one that this page is from.
function makeRow(node, index) {
  const row = document.createElement("tr");
  row.dataset.node = node.name;
  const name = cell("th", "", node.name);
  name.scope = "row";
  let page = "this one";
  if (index > 0) {
    page = document.createElement("a");
    page.href = `http://${node.address}/`;
    page.textContent = node.address;
  }
  row.append(name, cell("td", "", page));
  row.append(cell("td", "number", String(node.num_clients)), cell("td", "number wide", String(node.num_users)),
    cell("td", "number wide", String(node.num_subs)), cell("td", "number", String(node.num_channels)),
    cell("td", "number", uptime(node.uptime)));
  return row;
}

function show(nodes) {
  at("nodes-card").hidden = nodes.length < 2 && at("nodes-card").hidden;
  const [self, ...others] = nodes;
  others.sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
  at("nodes").replaceChildren(...[self, ...others].map(makeRow));
  const clients = nodes.reduce((sum, node) => sum + node.num_clients, 0);
  at("nodes-total").textContent = `${nodes.length} ${nodes.length === 1 ? "node" : "nodes"}, ` +
    `${clients} ${clients === 1 ? "client" : "clients"}`;
}

async function poll() {
  if (!document.hidden) {
    try {
      const response = await fetch("/demo/nodes", { cache: "no-store", signal: AbortSignal.timeout(5000) });
      if (response.ok) {
        show((await response.json()).result.nodes);
      }
    } catch {
      // The view of the shards tells that the node does not answer.
    }
  }
  setTimeout(poll, INTERVAL_MS);
}

poll();
