/** What ties a tenant's data to the one namespace it belongs to; operator and registry read the same. */

/** On a Namespace, by its administrator: the uid of the earlier namespace of that name whose data it takes over. */
export const ADOPT_ANNOTATION = 'slipway.dev/adopt-data';
