// SPDX-License-Identifier: Apache-2.0
// The chat of the demo page. A name is not part of an anonymous session: everybody tells theirs in a publication
// without text, and the server says which client a publication is from.
import { Client } from "./client.js";

const MESSAGES_MAX = 200;
// In a bigger room nobody introduces themselves to each newcomer; names are learnt as people speak.
const INTRODUCTIONS_MAX = 30;
const BIRDS = ["Wren", "Robin", "Finch", "Swift", "Heron", "Magpie", "Tern", "Plover", "Linnet", "Siskin", "Kite"];

const at = (id) => document.getElementById(id);
const nick = at("nick");
const message = at("message");
const list = at("messages");

let channel = "chat:lobby";
const rooms = new Map(); // Channel -> what was said there.
let members = new Set(); // Clients.
const names = new Map(); // Client -> the name it told.

function remember(key, value) {
  try {
    sessionStorage.setItem(key, value);
  } catch {
    // A browser that keeps nothing still chats.
  }
}

function recall(key) {
  try {
    return sessionStorage.getItem(key);
  } catch {
    return null;
  }
}

function nameOf(client) {
  return names.get(client) || "guest " + client.slice(0, 4);
}

// One colour for each name, the same in every browser and after a new connection.
function hueOf(text) {
  let hash = 7;
  for (const letter of text) {
    hash = (hash * 31 + letter.codePointAt(0)) % 360;
  }
  return hash;
}

function make(tag, className, text) {
  const element = document.createElement(tag);
  element.className = className;
  if (text !== undefined) {
    element.textContent = text;
  }
  return element;
}

function badge(who) {
  const element = make("span", "badge", (Array.from(who.trim())[0] || "?").toUpperCase());
  element.style.setProperty("--hue", hueOf(who));
  element.setAttribute("aria-hidden", "true");
  return element;
}

function itemOf(said) {
  const item = make("li", said.isOwn ? "own" : "");
  const bubble = make("div", "bubble");
  const head = make("p", "head");
  const when = make("time", "when", said.at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
  when.dateTime = said.at.toISOString();
  head.append(make("span", "who", said.who), when);
  bubble.append(head, make("p", "text", said.text));
  item.append(badge(said.who), bubble);
  return item;
}

function add(said) {
  const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 60;
  list.append(itemOf(said));
  while (list.children.length > MESSAGES_MAX) {
    list.firstElementChild.remove();
  }
  at("empty").hidden = true;
  if (isAtEnd) {
    list.scrollTop = list.scrollHeight;
  }
}

function showMembers() {
  const others = [...members].filter((id) => id !== client.id);
  const sorted = others.sort((a, b) => nameOf(a).localeCompare(nameOf(b)));
  if (members.has(client.id)) {
    sorted.unshift(client.id);
  }
  at("members").replaceChildren(...sorted.map((id) => {
    const item = make("li", id === client.id ? "own" : "");
    item.dataset.client = id;
    item.append(badge(nameOf(id)), make("span", "name", nameOf(id)));
    if (id === client.id) {
      item.append(make("span", "you quiet", "you"));
    }
    return item;
  }));
  at("count").textContent = members.size;
}

function showProblem(text) {
  at("problem").textContent = text;
  at("problem").hidden = text === "";
}

function introduce() {
  names.set(client.id, nick.value.trim());
  client.publish(channel, { nick: nick.value.trim() }).catch(() => {});
}

function textOf(data) {
  if (data && typeof data === "object") {
    return typeof data.text === "string" ? data.text : data.nick === undefined ? JSON.stringify(data) : null;
  }
  return String(data);
}

function heard(from, { data, info }) {
  const told = data && typeof data.nick === "string" ? data.nick.trim().slice(0, 24) : "";
  if (info && told) {
    names.set(info.client, told);
    showMembers();
  }
  const text = textOf(data);
  if (text === null || text === "") {
    return;
  }
  // What a backend publishes has no client; it may still say whom it speaks for.
  const who = info ? nameOf(info.client) : told || "server";
  const said = { isOwn: Boolean(info) && info.client === client.id, who, text, at: new Date() };
  const kept = rooms.get(from) || [];
  kept.push(said);
  rooms.set(from, kept.slice(-MESSAGES_MAX));
  if (from === channel) {
    add(said);
  }
}

const client = new Client(location.origin.replace(/^http/, "ws") + "/connection/websocket", {
  status(status, detail) {
    at("status").textContent = status;
    at("status").title = detail;
    document.body.dataset.status = status;
    at("send").disabled = status !== "connected";
    if (status === "disconnected") {
      showProblem("The server ended the connection: " + (detail || "no reason given") + ". Reload to try again.");
    }
    if (status !== "connected") {
      members = new Set();
      showMembers();
    }
  },
  async subscribed(to) {
    showProblem("");
    introduce();
    try {
      const present = await client.presence(to);
      if (to === channel) {
        members = new Set(Object.keys(present));
        showMembers();
      }
    } catch (error) {
      showProblem("Who is here is not known: " + error.message);
    }
  },
  publication: heard,
  join(to, info) {
    if (to !== channel) {
      return;
    }
    members.add(info.client);
    showMembers();
    if (info.client !== client.id) {
      at("arrivals").textContent = "Somebody came";
      if (members.size <= INTRODUCTIONS_MAX) {
        setTimeout(introduce, Math.random() * 300);
      }
    }
  },
  leave(to, info) {
    if (to === channel && members.delete(info.client)) {
      at("arrivals").textContent = nameOf(info.client) + " left";
      names.delete(info.client);
      showMembers();
    }
  },
  failed(to, error) {
    showProblem("The room " + to + " is closed: " + error.message + ". The demo needs roostd --dev.");
  },
});

function showRoom() {
  for (const button of document.querySelectorAll("#rooms button")) {
    button.setAttribute("aria-pressed", String(button.dataset.channel === channel));
  }
  list.replaceChildren();
  const kept = rooms.get(channel) || [];
  at("empty").hidden = kept.length > 0;
  kept.forEach(add);
  members = new Set();
  showMembers();
  // One line, so that it can be pasted into any shell.
  at("curl").textContent = "curl -X POST " + location.origin + "/api/publish -H 'X-API-Key: dev-api-key' " +
    "-d '{\"channel\":\"" + channel + "\",\"data\":{\"text\":\"hello from a terminal\"}}'";
}

at("rooms").addEventListener("click", ({ target }) => {
  const to = target.dataset.channel;
  if (to && to !== channel) {
    client.unsubscribe(channel);
    channel = to;
    showRoom();
    client.subscribe(channel);
  }
});

at("say").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = message.value.trim();
  if (text === "") {
    return;
  }
  try {
    await client.publish(channel, { nick: nick.value.trim(), text });
    showProblem("");
    message.value = "";
  } catch (error) {
    showProblem("Not sent: " + error.message);
  }
  message.focus();
});

nick.addEventListener("change", () => {
  nick.value = nick.value.trim() || nick.defaultValue;
  remember("nick", nick.value);
  introduce();
});

at("copy").addEventListener("click", async ({ target }) => {
  try {
    await navigator.clipboard.writeText(at("curl").textContent);
    target.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(at("curl"));
    target.textContent = "Selected";
  }
  setTimeout(() => (target.textContent = "Copy"), 2000);
});

document.addEventListener("visibilitychange", () => document.hidden || client.hurry());

nick.defaultValue = BIRDS[Math.floor(Math.random() * BIRDS.length)] + " " + Math.floor(10 + Math.random() * 90);
nick.value = recall("nick") || nick.defaultValue;
remember("nick", nick.value);
showRoom();
client.subscribe(channel);
client.connect();
