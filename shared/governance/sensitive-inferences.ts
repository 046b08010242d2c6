/**
 * Owns what must not be inferred about people: the special categories of personal data (GDPR, article 9; sensitive personal information in
 * CPRA), and money troubles. It is a list of beginnings of words: whoever makes a feature out of words leaves out those that begin like one of
 * them, so that no topic can be about it. It rather leaves out too much, and knows English and some words that are alike elsewhere.
 */

export const SENSITIVE_INFERENCES = {
  health:
    'abort addict aids alcoholi alzheimer anorexi antidepress anxiety arthrit asthma autis bipolar bulimi cancer chemo chronic clinic contracept covid dementia depress diabet diagnos disab disease disorder doctor epilep hiv hospital illness infertil insulin medic menopaus migraine miscarr obes oncolog parkinson patient pharma pregnan prescri prozac psych rehab schizo sick suicid surger symptom syndrome therap tumor tumour vaccin wheelchair',
  religion:
    'allah atheis baptis bibl bishop buddh cathol christ church clergy eucharist evangel faith fasting god gospel gurdwara halal hijab hindu imam islam jain jehova jesus jew judai kosher mecca monk mormon mosque muslim orthodox parish pastor pope pray preach priest prophet protestant psalm quran rabbi ramadan religio sabbath scripture sikh synagog torah vatican worship',
  politics:
    'ballot bolshev brexit campaigner communis congressm conservativ democrat election fascis leftis marxis nationalis nazi parliament partisan politic populis protester republican rightwing senator socialis trump vote voter voting',
  'ethnic origin':
    'aborigin adivasi asylum brahmin caste caucasian dalit deport ethnic gypsy hispanic immigra indigenous latino migrant minority mulatto negro racial racis refugee tribe',
  sexuality:
    'bisexual cisgend closeted fetish gay hetero homosex lesbian lgb nonbinary onlyfans porn queer sexual sexy transgend transsex',
  'trade union': 'picket tradeunion unionis unionist unionize',
  'money troubles':
    'bankrupt bailiff debt evict foreclos insolven jobless overdraft payday pawn poverty redundan unemploy welfare',
} as const satisfies Readonly<Record<string, string>>;
export type SensitiveInference = keyof typeof SENSITIVE_INFERENCES;

const BEGINNINGS: readonly (readonly [string, SensitiveInference])[] = Object.entries(SENSITIVE_INFERENCES).flatMap(
  ([category, words]) => words.split(' ').map((word) => [word, category as SensitiveInference] as const),
);

/** What a word would tell about who uses it; undefined: nothing that is on the list. */
export function sensitiveInferenceOf(word: string): SensitiveInference | undefined {
  const plain = word.toLowerCase();
  return BEGINNINGS.find(([beginning]) => plain.startsWith(beginning))?.[1];
}
