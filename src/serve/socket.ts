import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { UserError } from "../errors.js";
import { Refusal, refusalBody } from "./refusal.js";

/** Requests of one connection that may be under way: a client may send the next before it has its answer. */
const MOST_AT_ONCE = 16;

export type SocketOptions = {
  /** Milliseconds within which a client must have sent its request. */
  readonly requestTimeout: number;
  /** Milliseconds that work for a request may take. */
  readonly timeout: number;
  /** Most clients that are connected. */
  readonly maxConnections: number;
  readonly isStopping: () => boolean;
};

type Fetch = (request: Request, env: object) => Response | Promise<Response>;

const answerOf = ({ status, code, message }: Refusal): Response =>
  new Response(JSON.stringify(refusalBody(code, message)), { status, headers: { "Content-Type": "application/json" } });

/** Answers what never reached the app: a request that cannot be read. */
const answerUnread = (thrown: unknown): Response =>
  answerOf(
    (thrown as Error | undefined)?.name === "RequestError"
      ? new Refusal(400, "request", "the request could not be read: its address or its Host is malformed")
      : new Refusal(500, "internal", "something went wrong in the server"),
  );

/** Counts the requests of a connection that are under way; false where there are too many. */
const enter = (underWay: WeakMap<Socket, number>, { socket }: IncomingMessage, response: ServerResponse): boolean => {
  const count = (underWay.get(socket) ?? 0) + 1;
  if (count > MOST_AT_ONCE) return false;
  underWay.set(socket, count);
  response.once("close", () => underWay.set(socket, underWay.get(socket)! - 1));
  return true;
};

/**
 * A server that gives slow clients 408, lets go of those that take nothing, and tells those that stay connected to leave once it
 * stops.
 */
export const openSocket = (fetch: Fetch, options: SocketOptions): Server => {
  const { requestTimeout, timeout, maxConnections, isStopping } = options;
  const answer = getRequestListener(fetch as Parameters<typeof getRequestListener>[0], { errorHandler: answerUnread });
  const underWay = new WeakMap<Socket, number>();
  const timeouts = { requestTimeout, headersTimeout: requestTimeout, connectionsCheckingInterval: 500 };
  const server = createServer({ ...timeouts, keepAliveTimeout: 5000 }, (request, response) => {
    if (!enter(underWay, request, response)) return void request.socket.destroy();
    if (isStopping()) response.setHeader("Connection", "close");
    void answer(request, response);
  });
  server.maxConnections = maxConnections;
  server.setTimeout(timeout + requestTimeout); // of a connection on which nothing moves
  return server;
};

/** Listens; resolves to the server's address. Rejects with a `UserError` where the address cannot be had. */
export const listen = (server: Server, { port, host }: { port: number; host: string }): Promise<string> =>
  new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const inUse =
        error.code === "EADDRINUSE" ? "another program listens there; choose another --port" : error.message;
      reject(new UserError(`serve: cannot listen on ${host}:${port}: ${inUse}`));
    });
    server.listen(port, host, () => {
      const { address, port: bound, family } = server.address() as AddressInfo;
      resolve(`http://${family === "IPv6" ? `[${address}]` : address}:${bound}`);
    });
  });

/** Milliseconds that answers to work that was ended are given to leave. */
const LAST_ANSWERS = 250;

/** Stops listening. After `grace` milliseconds work that goes on is ended, its clients are told so, and all connections close. */
export const closeWithin = async (server: Server, grace: number, endWork: () => void): Promise<void> => {
  const timers: NodeJS.Timeout[] = [];
  const end = (): void => {
    endWork();
    timers.push(setTimeout(() => server.closeAllConnections(), LAST_ANSWERS));
  };
  timers.push(setTimeout(end, grace));
  await new Promise<void>((resolve) => server.close(() => resolve()));
  for (const timer of timers) clearTimeout(timer);
};
