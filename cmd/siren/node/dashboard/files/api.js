// Calls of the node's API. The key is kept in this tab alone.

const STORED = "siren.api-key";

/** How long the node may take to answer, in milliseconds. */
const PATIENCE = 10_000;

/** An answer that is an error: `code` and `field` are those of the API, `after` is when to ask again, in milliseconds. */
export class Refused extends Error {
  constructor(status, problem, after) {
    super(problem.detail || problem.title || `status ${status}`);
    this.status = status;
    this.code = problem.code ?? "";
    this.field = problem.field ?? "";
    this.after = after;
  }
}

export const key = {
  get: () => sessionStorage.getItem(STORED) ?? "",
  set: (value) => sessionStorage.setItem(STORED, value),
  forget: () => sessionStorage.removeItem(STORED),
};

/** Makes a call. `body` is a value, or a text that is JSON already. A node that does not answer is a TypeError. */
export async function call(name, body = {}) {
  const headers = { "Content-Type": "application/json" };
  if (key.get()) headers.Authorization = `Bearer ${key.get()}`;
  const response = await fetch(`/api/${name}`, {
    method: "POST", headers, body: typeof body === "string" ? body : JSON.stringify(body),
    signal: AbortSignal.timeout(PATIENCE), cache: "no-store", credentials: "omit", redirect: "error",
  });
  let answer;
  try {
    answer = await response.json();
  } catch {
    answer = {};
  }
  if (response.ok) return answer;
  throw new Refused(response.status, answer, 1000 * (Number(response.headers.get("Retry-After")) || 0));
}

/** What to tell a person about an error. */
export function explain(error) {
  if (error instanceof Refused) {
    return error.field ? `${error.field}: ${error.message}.` : `${error.message[0].toUpperCase()}${error.message.slice(1)}.`;
  }
  return "The node does not answer.";
}
