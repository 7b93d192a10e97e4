/** The job in nginx, one worker unless told. It has no counts per variant. */
import { CANDIDATE_PORT, CONTROL_PORT } from '../proxies/split.ts';
import { nextPort, scratchFile, writeScratch } from '../support/rig.ts';
import type { Candidate } from './candidate.ts';

export interface NginxOptions {
  readonly name?: string;
  readonly workers?: number;
  readonly base?: string;
}

export function nginx(options: NginxOptions = {}): Candidate {
  const { name = 'nginx', workers = 1, base } = options;
  const port = nextPort();
  const file = writeScratch(
    `${name}-${port}.conf`,
    `
daemon off;
${process.getuid?.() === 0 ? 'user root;' : ''}
pid ${scratchFile(`${name}-${port}.pid`)};
worker_processes ${workers};
error_log stderr crit;
events { worker_connections 16384; }
http {
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
  tcp_nodelay on;
  client_max_body_size 0;
  client_body_temp_path ${scratchFile(`${name}-${port}-bodies`)};
  proxy_temp_path ${scratchFile(`${name}-${port}-answers`)};
  split_clients "ranking-1$http_x_user_id" $variant { 10% candidate; * control; }
  upstream control { server 127.0.0.1:${CONTROL_PORT}; keepalive 256; keepalive_requests 1000000000; }
  upstream candidate { server 127.0.0.1:${CANDIDATE_PORT}; keepalive 256; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / {
      proxy_pass http://$variant;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Experiment ranking=$variant;
      # As the others do: a body is passed on while it comes, never kept on disk.
      proxy_request_buffering off;
      proxy_max_temp_file_size 0;
    }
  }
}
`,
  );
  return { name, port, command: ['nginx', '-c', file], ...(base === undefined ? {} : { base }) };
}
