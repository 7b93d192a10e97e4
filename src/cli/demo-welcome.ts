/** What the demo says: what runs where, and what to try, in an order that makes sense. Pure. */

export interface DemoPlaces {
  readonly configFile: string;
  readonly logFolder: string;
  readonly sidecarUrl: string;
  readonly adminUrl: string;
  readonly probeUrl: string;
  readonly controlUrl: string;
  readonly candidateUrl: string;
  readonly token: string;
  readonly hasTraffic: boolean;
}

/** The whole text. */
export function welcome(places: DemoPlaces): string {
  const { configFile, logFolder, sidecarUrl, adminUrl, probeUrl, controlUrl, candidateUrl, token } = places;
  const api = `${sidecarUrl}/api/search`;
  const users = places.hasTraffic
    ? 'about 50 searches a second of 2,000 made-up users (--no-traffic: none)'
    : 'nobody but you: start it without --no-traffic for some, which a rollout needs';
  return `
Fairlead demo: one service in two versions, and the sidecar in front of them.

  page       ${adminUrl}/   (to change something there: token ${token})
  sidecar    ${sidecarUrl}   90 % control, 10 % candidate by x-user-id (${configFile})
  users      ${users}
  control    ${controlUrl}    version v1
  candidate  ${candidateUrl}    version v2; POST /demo/fail, /demo/slow, /demo/hang, /demo/heal change it
  metrics    ${probeUrl}/metrics
  logs       tail -f ${logFolder}/access.log ${logFolder}/exposures.ndjson

Try in another terminal:

  1. a request of nobody known, which the control answers; of user 3, who is on the candidate each time (1 is on the
     control); and of a tester, who asks for the candidate
     curl -i ${api}
     curl -i -H 'x-user-id: 3' ${api}
     curl -i -H 'x-experiment-override: ranking=candidate' ${api}
  2. open the page, ${adminUrl}/, or stay here: what goes on at this moment
     npx fairlead top
  3. give the candidate more, step by step as the evidence allows, and watch: everybody has it after about a minute
     export FAIRLEAD_ADMIN__TOKEN=${token}
     npx fairlead start-rollout ranking --reason "try it"
     npx fairlead status ranking -w
  4. once more, and break the candidate on the way: within seconds it is taken back, and the reason is said
     npx fairlead start-rollout ranking --reason "try it again"
     curl -X POST ${candidateUrl}/demo/fail
     npx fairlead status ranking -w
  5. whoever asks for the broken candidate gets its 500s until its breaker opens, and then the control's answers, but for
     a few probes; mended, it closes by itself
     for i in $(seq 40); do curl -s -H 'x-experiment-override: ranking=candidate' ${api}; done
     npx fairlead get breakers
     curl -X POST ${candidateUrl}/demo/heal

More: npx fairlead stat | tap | results ranking | explain -c ${configFile} -H 'x-user-id: 3' /api/search | load ${api}
Ctrl-C stops everything.

`;
}
