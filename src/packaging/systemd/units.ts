/**
 * The unit files of systemd, and what goes with them: the user they run as and the config files they name.
 *
 * Readiness, watchdog and reload follow `net/service_manager.ts`. The time to stop is longer than a stop takes, and
 * nothing but the main process gets the signal, so that everything is saved in order.
 *
 * Tested in test/packaging/systemd_test.ts.
 */

/** A file that an installation writes. */
export interface InstalledFile {
  readonly path: string;
  readonly text: string;
  /** What an operator edits: never overwritten. */
  readonly isConfig: boolean;
}

/** Where things are on the machine. */
export interface Places {
  /** The executable. */
  readonly executable: string;
  /** For unit files. */
  readonly unitFolder: string;
  readonly configFolder: string;
  /** For the file that declares the user. */
  readonly usersFolder: string;
}

export const defaultPlaces: Places = {
  executable: "/usr/local/bin/nsq",
  unitFolder: "/etc/systemd/system",
  configFolder: "/etc/nsq",
  usersFolder: "/etc/sysusers.d",
};

interface Service {
  readonly unit: string;
  readonly description: string;
  readonly command: string;
  readonly flags: readonly string[];
  readonly state: string;
  /** Open files: connections, and log files. */
  readonly files: number;
  readonly after?: string;
}

const SECURITY = [
  "NoNewPrivileges=yes",
  "ProtectSystem=strict",
  "ProtectHome=yes",
  "PrivateTmp=yes",
  "PrivateDevices=yes",
  "ProtectKernelTunables=yes",
  "ProtectKernelModules=yes",
  "ProtectControlGroups=yes",
  "RestrictSUIDSGID=yes",
  "RestrictRealtime=yes",
  "LockPersonality=yes",
  "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK",
  "CapabilityBoundingSet=",
];

/** All files of an installation. */
export function systemdFiles(places: Places): InstalledFile[] {
  const { configFolder, unitFolder, usersFolder } = places;
  const services: Service[] = [
    {
      unit: "nsqd.service",
      description: "NSQ message broker",
      command: "nsqd",
      flags: [`--config=${configFolder}/nsqd.toml`, "--data-path=/var/lib/nsq"],
      state: "nsq",
      files: 1048576,
      after: "nsqlookupd.service",
    },
    {
      unit: "nsqd@.service",
      description: "NSQ message broker %i",
      command: "nsqd",
      flags: [`--config=${configFolder}/nsqd-%i.toml`, "--data-path=/var/lib/nsq-%i"],
      state: "nsq-%i",
      files: 1048576,
      after: "nsqlookupd.service",
    },
    {
      unit: "nsqlookupd.service",
      description: "NSQ discovery service",
      command: "lookupd",
      flags: [`--config=${configFolder}/nsqlookupd.toml`, "--data-path=/var/lib/nsqlookupd"],
      state: "nsqlookupd",
      files: 65536,
    },
    {
      unit: "nsqadmin.service",
      description: "NSQ web console",
      command: "admin",
      flags: [`--config=${configFolder}/nsqadmin.toml`],
      state: "nsqadmin",
      files: 65536,
      after: "nsqlookupd.service",
    },
  ];
  return [
    ...services.map((service) => ({
      path: `${unitFolder}/${service.unit}`,
      text: unitText(service, places),
      isConfig: false,
    })),
    {
      path: `${usersFolder}/nsq.conf`,
      text: '# The user that NSQ runs as.\nu nsq - "NSQ message broker" /var/lib/nsq\n',
      isConfig: false,
    },
    ...configFiles(configFolder),
  ];
}

function unitText(
  { unit, description, command, flags, state, files, after }: Service,
  places: Places,
): string {
  const run = unit.replace(/@?\.service$/, "") + (unit.includes("@") ? "-%i" : "");
  return `# Written by nsq systemd install. Changes belong into a drop-in: systemctl edit ${
    unit.replace("@.", "@NAME.")
  }
[Unit]
Description=${description}
Documentation=man:nsq-${command}(1)
Wants=network-online.target
After=network-online.target${after === undefined ? "" : ` ${after}`}

[Service]
Type=notify
NotifyAccess=main
User=nsq
Group=nsq
ExecStart=${places.executable} ${command} ${flags.join(" ")}
ExecReload=/bin/kill -HUP $MAINPID
Restart=on-failure
RestartSec=1
# The first start on the data of another implementation takes its queues over, however long that takes.
TimeoutStartSec=infinity
TimeoutStopSec=90
KillMode=mixed
WatchdogSec=30
LimitNOFILE=${files}
StateDirectory=${state}
StateDirectoryMode=0750
CacheDirectory=nsq
RuntimeDirectory=${run}
# What the engine keeps of its compilations: warm starts, and nobody else's files.
Environment=TMPDIR=/var/cache/nsq
# Keeps the allocator from holding what a burst took.
Environment=MALLOC_ARENA_MAX=2
${SECURITY.join("\n")}
# The engine compiles while it runs.
MemoryDenyWriteExecute=no

[Install]
WantedBy=multi-user.target
`;
}

function configFiles(folder: string): InstalledFile[] {
  const texts: Record<string, string> = {
    "nsqd.toml": `# Options of nsqd: nsq nsqd --help, or nsq man nsqd.
tcp_address = "0.0.0.0:4150"
http_address = "0.0.0.0:4151"
nsqlookupd_tcp_addresses = ["127.0.0.1:4160"]
# What consumers on other machines connect to; by default the host name.
# broadcast_address = "queue-1.example.com"
`,
    "nsqlookupd.toml": `# Options of lookupd: nsq lookupd --help, or nsq man lookupd.
tcp_address = "0.0.0.0:4160"
http_address = "0.0.0.0:4161"
`,
    "nsqadmin.toml": `# Options of the console: nsq admin --help, or nsq man admin.
http_address = "127.0.0.1:4171"
nsqlookupd_http_addresses = ["127.0.0.1:4161"]
`,
  };
  return Object.entries(texts).map(([name, text]) => ({ path: `${folder}/${name}`, text, isConfig: true }));
}
