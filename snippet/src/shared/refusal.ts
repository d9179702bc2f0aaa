/** The browser has answered already, for every site: no. Global Privacy Control says so, and the older Do Not Track. */
export const refuses = () => navigator.globalPrivacyControl || navigator.doNotTrack == '1';
