import { Socket } from "/demo/socket.js";

const find = (id) => document.getElementById(id);
const socket = new Socket("/socket.io/");

socket.onstate = (state) => {
  find("state").textContent = state;
};
socket.on("chat", (text) => {
  const item = document.createElement("li");
  item.textContent = text;
  find("list").append(item);
});
find("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = find("text").value;
  find("text").value = "";
  if (text) await socket.request("chat", text);
});
socket.open();
