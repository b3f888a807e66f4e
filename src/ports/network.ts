/**
 * Byte streams between processes. Callbacks, not streams or promises: the server handles every frame
 * of a read event in one go and answers with one write, and nothing is allocated per request.
 *
 * Errors of a connection are told once, by `onClose`; after it, no other callback comes and `write`
 * does nothing. No callback is ever called from inside `write`, `end`, `pause` or `resume`.
 */
export interface Socket {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  /**
   * Absent: not encrypted. `subject`: whom the peer's certificate names, checked against those who may
   * sign them; null: it showed none.
   */
  readonly tls?: { readonly subject: string | null };
  /** Bytes accepted by `write` that the kernel has not taken yet. */
  readonly pendingBytes: number;
  /**
   * Sends bytes[start, end). Returns true when the buffer is free again (all of it was handed to the
   * kernel or copied); false when the socket keeps it, and the caller must never touch it again:
   * `onDrain` comes when everything pending has left.
   */
  write(bytes: Uint8Array, start: number, end: number): boolean;
  /** Stops and restarts `onData`; a few bytes already read may still arrive after `pause`. */
  pause(): void;
  resume(): void;
  /** Sends what is pending, then closes. */
  end(): void;
  /** Closes at once; pending bytes are dropped. */
  destroy(): void;
}

export interface SocketHandler {
  /** bytes[start, end) is lent for the duration of the call. */
  onData(bytes: Uint8Array, start: number, end: number): void;
  onDrain(): void;
  onClose(error: Error | null): void;
}

export interface ListenOptions {
  /** Undefined: every address of this machine. */
  readonly host: string | undefined;
  /** 0: any free one. */
  readonly port: number;
  readonly backlog?: number;
}

export interface Listener {
  readonly host: string;
  readonly port: number;
  /** Stops accepting; connections that exist stay. Resolves when the port is free. */
  close(): Promise<void>;
}

export interface Network {
  /** Rejects with the system's error (EADDRINUSE, EACCES …) when the address cannot be had. */
  listen(options: ListenOptions, accept: (socket: Socket) => SocketHandler): Promise<Listener>;
  /** Rejects when there is no connection within `timeoutMs`. */
  connect(
    options: { readonly host: string; readonly port: number; readonly timeoutMs: number },
    accept: (socket: Socket) => SocketHandler,
  ): Promise<Socket>;
}
