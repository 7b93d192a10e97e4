/**
 * What an answer of the admin API is known by, refusals and streams included: a client that came to another port by mistake,
 * where an application answers with 200 as well, must neither believe it nor send it a token. Not on the probe listener,
 * which is no admin API.
 */

export const API_HEADER = 'fairlead-api';
/** Another one, where a client of this one would misunderstand the answers. */
export const API_VERSION = '1';
