// SPDX-License-Identifier: Apache-2.0
// The live view of the shards: asks the node each second for its totals and shows what changed since the last answer.

const INTERVAL_MS = 1000;
const SAMPLES_MAX = 60;
const WIDTH = 120;
const HEIGHT = 24;
const COLUMNS = [
  ["connections", "number"],
  ["subscriptions", "number wide"],
  ["channels", "number wide"],
  ["in", "number"],
  ["out", "number"],
  ["line", "line"],
  ["busy", "number busy"],
];
const SVG = "http://www.w3.org/2000/svg";

const at = (id) => document.getElementById(id);
const rows = new Map(); // Shard -> its row and what was seen of it.

function short(number) {
  if (number < 10000) {
    return number.toLocaleString("en");
  }
  return number < 1e6 ? (number / 1e3).toFixed(1) + "k" : (number / 1e6).toFixed(2) + "M";
}

function makeRow(shard) {
  const element = document.createElement("tr");
  const cells = {};
  const name = document.createElement("th");
  name.scope = "row";
  name.textContent = shard.role === "router" ? "router" : String(shard.id);
  element.className = shard.role;
  element.dataset.shard = shard.id;
  element.append(name);
  for (const [key, className] of COLUMNS) {
    cells[key] = document.createElement("td");
    cells[key].className = className;
    element.append(cells[key]);
  }
  const line = document.createElementNS(SVG, "svg");
  line.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  line.setAttribute("preserveAspectRatio", "none");
  line.setAttribute("aria-hidden", "true");
  const area = document.createElementNS(SVG, "path");
  area.setAttribute("class", "area");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("class", "stroke");
  line.append(area, path);
  cells.line.append(line);
  const meter = document.createElement("span");
  meter.className = "meter";
  const bar = document.createElement("span");
  bar.className = "bar";
  meter.append(bar);
  const percent = document.createElement("span");
  percent.className = "percent";
  cells.busy.append(meter, percent);
  return { element, cells, area, path, bar, percent, samples: [], last: null };
}

function draw(row, most) {
  const step = WIDTH / (SAMPLES_MAX - 1);
  const start = SAMPLES_MAX - row.samples.length;
  const points = row.samples.map((rate, i) => {
    const x = ((start + i) * step).toFixed(1);
    const y = (HEIGHT - 1 - (rate / most) * (HEIGHT - 3)).toFixed(1);
    return x + " " + y;
  });
  if (points.length < 2) {
    return;
  }
  row.path.setAttribute("d", "M" + points.join("L"));
  row.area.setAttribute("d", `M${(start * step).toFixed(1)} ${HEIGHT}L` + points.join("L") + `L${WIDTH} ${HEIGHT}Z`);
}

// Counters only grow; less than before means that the node was started anew.
function rate(now, before, seconds) {
  return before === undefined || now < before || seconds <= 0 ? 0 : (now - before) / seconds;
}

function update(shard, time) {
  let row = rows.get(shard.id);
  if (!row) {
    row = makeRow(shard);
    rows.set(shard.id, row);
    at("shards").tBodies[0].append(row.element);
  }
  const last = row.last || { time };
  const seconds = (time - last.time) / 1000;
  const incoming = rate(shard.messages_in, last.messages_in, seconds);
  const outgoing = rate(shard.messages_out, last.messages_out, seconds);
  const busy = Math.min(1, rate(shard.busy_ns, last.busy_ns, seconds) / 1e9);
  if (row.last) {
    row.samples.push(outgoing);
  }
  row.samples.splice(0, row.samples.length - SAMPLES_MAX);
  row.cells.connections.textContent = short(shard.connections);
  row.cells.subscriptions.textContent = short(shard.subscriptions);
  row.cells.channels.textContent = short(shard.channels);
  row.cells.in.textContent = short(Math.round(incoming));
  row.cells.out.textContent = short(Math.round(outgoing));
  row.bar.style.width = (busy * 100).toFixed(1) + "%";
  row.percent.textContent = busy > 0 && busy < 0.01 ? "<1%" : Math.round(busy * 100) + "%";
  row.last = { ...shard, time };
  return { incoming, outgoing };
}

function show(answer) {
  const time = performance.now();
  const sums = { incoming: 0, outgoing: 0 };
  for (const shard of answer.shards) {
    const rates = update(shard, time);
    sums.incoming += rates.incoming;
    sums.outgoing += rates.outgoing;
  }
  for (const [id, row] of rows) {
    if (!answer.shards.some((shard) => shard.id === id)) {
      row.element.remove();
      rows.delete(id);
    }
  }
  // One scale for all, so that the lines can be compared.
  const most = Math.max(5, ...[...rows.values()].flatMap((row) => row.samples));
  rows.forEach((row) => draw(row, most));
  const clients = answer.shards.reduce((sum, shard) => sum + shard.clients, 0);
  at("total").textContent = `${short(clients)} ${clients === 1 ? "client" : "clients"}, ` +
    `${short(Math.round(sums.incoming))} messages in and ${short(Math.round(sums.outgoing))} out a second`;
  at("node").textContent = answer.node + (answer.version ? ", " + answer.version : "");
}

function showProblem(text) {
  at("shards-problem").textContent = text;
  at("shards-problem").hidden = text === "";
}

async function poll() {
  if (!document.hidden) {
    try {
      const response = await fetch("/demo/shards", { cache: "no-store", signal: AbortSignal.timeout(5000) });
      if (!response.ok) {
        throw new Error("the node answers " + response.status);
      }
      show(await response.json());
      showProblem("");
    } catch (error) {
      showProblem("No news of the shards: " + error.message);
    }
  }
  setTimeout(poll, INTERVAL_MS);
}

poll();
