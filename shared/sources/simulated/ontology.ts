/**
 * Owns the words of the simulated platform: topics with their season and titles, moods, cultures with first
 * names, comment phrases. Data only. Cultures are named after languages; nothing here says anything about
 * the people who speak them, the simulator draws tastes independently of these names.
 */

export interface Topic {
  readonly name: string;
  /** Day of the year (0-365) around which interest peaks, and how much it rises there (0 = no season). */
  readonly peakDay: number;
  readonly peakRise: number;
  /** Enjoyed across cultures: a video in another language loses little. */
  readonly borderless: boolean;
  /** Videos of this topic may end in a purchase days later. */
  readonly sells: boolean;
  /** How much people in general lean to it; 1 = as to most. */
  readonly pull: number;
  /** First halves of titles. */
  readonly heads: readonly string[];
}

function topic(
  name: string,
  season: readonly [peakDay: number, peakRise: number, pull?: number],
  flags: readonly ('borderless' | 'sells')[],
  heads: string,
): Topic {
  return {
    name,
    peakDay: season[0],
    peakRise: season[1],
    pull: season[2] ?? 1,
    borderless: flags.includes('borderless'),
    sells: flags.includes('sells'),
    heads: heads.split(', '),
  };
}

export const TOPICS: readonly Topic[] = [
  topic(
    'cricket',
    [120, 0.5, 1.9],
    [],
    'Googly school, Yorker drills, Cover drive in slow motion, Gully cricket final, Leg spin at dusk, The last over, Reverse sweep practice, Six on the rooftop, A catch at slip, Monsoon nets, Street bat repair, Doosra secrets',
  ),
  topic(
    'football',
    [170, 0.4],
    ['borderless'],
    'Free kick physics, Five-a-side in the rain, Nutmeg of the week, Keeper reflexes, Barefoot derby, Corner routine, Panenka nerves, Rondo for beginners, Left foot only, Terrace songs, Offside with spoons, Volley on sand',
  ),
  topic(
    'cooking',
    [300, 0.3, 1.4],
    ['sells'],
    'Dal in ten minutes, The perfect dosa, Tamarind rice, One-pot khichdi, Grandmother’s pickle, Knife skills, Roti that puffs, Leftover magic, Mustard fish, Paneer from scratch, Coconut chutney, Slow biryani',
  ),
  topic(
    'street food',
    [330, 0.2],
    ['borderless'],
    'Pani puri at midnight, Kathi roll queue, Vada pav showdown, Momo alley, Jalebi spirals, Chai by the tracks, Chaat tower, Egg hopper stand, Sugarcane press, Kebab smoke, Idli cart at dawn, Kulfi on a stick',
  ),
  topic(
    'film songs',
    [310, 0.2, 1.6],
    ['borderless'],
    'Monsoon melody cover, Retro chorus on ukulele, Humming the hits, Rooftop duet, Two singers one mic, Lost verse found, Harmonium nights, Whistle version, The hook slowed down, Antakshari challenge, Balcony encore, Playback legends',
  ),
  topic(
    'folk music',
    [15, 0.2, 0.7],
    ['borderless'],
    'Baul by the river, Dhol at daybreak, Desert strings, Boat song, Harvest drums, The one-string lute, Hill flutes, Clapping rhythms, Lullaby from the delta, Thumri in the courtyard, Bamboo band, Wedding brass',
  ),
  topic(
    'dance',
    [290, 0.4],
    ['borderless'],
    'Eight counts to garba, Bhangra for knees over 40, Footwork close-up, Staircase choreography, Mirror mode routine, Lock and pop, Ankle bells, Class versus street, Group sync test, Kathak spins counted, First recital, Sari and sneakers',
  ),
  topic(
    'comedy',
    [90, 0, 1.5],
    [],
    'Landlord voice notes, Auto fare debate, Aunty at the gym, Interview gone sideways, Group chat read aloud, Wedding buffet tactics, Types of uncles, Power cut improv, My dog the manager, Exam hall signals, The lift is stuck, Tea break theatre',
  ),
  topic(
    'gaming',
    [350, 0.2],
    [],
    'Clutch with one heart, Speedrun fail, Budget setup, Retro cartridge hunt, Boss without armour, Noob to ranked, Hidden level, Couch co-op chaos, Build guide, Chess on 1 percent battery, Controller mod, Quiz raid',
  ),
  topic(
    'gadgets',
    [285, 0.4],
    ['sells'],
    'Phone under a bicycle, Earbuds torture test, Fix it with solder, Battery myths, Cable drawer tour, Old laptop new life, Smart bulb regret, Camera in the rain, Keyboard sounds, Teardown Tuesday, Ten-dollar drone, Charger roulette',
  ),
  topic(
    'travel',
    [355, 0.4],
    ['borderless'],
    'Window seat to Leh, Sleeper class diary, Backwaters on a budget, Village by motorbike, Packing one bag, Forgotten stepwells, Night bus review, Border road, Tea estate morning, Island ferry, Map without phone, Fort at sunrise',
  ),
  topic(
    'gardening',
    [60, 0.5],
    ['sells'],
    'Balcony tomatoes, Compost without smell, Curry leaf rescue, Marigold from seed, Terrace drip line, Repotting day, Chilli in a bottle, Monsoon cuttings, Bees are back, Money plant jungle, Winter greens, Grafting a mango',
  ),
  topic(
    'fashion',
    [290, 0.4],
    ['sells'],
    'Five ways to drape, Thrift flip, Block print basics, Office kurta, Sneaker wash, Mending circle, Handloom stories, Monochrome week, Bangles by colour, Pocket for every dress, Denim to bag, Wedding guest twice',
  ),
  topic(
    'fitness',
    [10, 0.6],
    ['sells'],
    'Surya namaskar slow, Staircase cardio, Push-up ladder, Desk stretches, First five kilometres, Skipping rope tricks, Kettlebell at home, Balance after 60, Breath count, Akhara morning, Plank with cat, Cool-down only',
  ),
  topic(
    'science',
    [58, 0.2],
    ['borderless'],
    'Why milk boils over, Magnets and marbles, Rocket from a bottle, Moon through binoculars, Static on a sari, Slime chemistry, Ants at work, Prism on the wall, Buoyant eggs, Echo in the well, Volcano tray, Fireflies counted',
  ),
  topic(
    'crafts',
    [295, 0.4],
    ['sells'],
    'Paper lantern, Clay lamp row, Crochet chai mat, Origami crane flock, Bottle painting, Rangoli grid, Scrap wood shelf, Kite with a tail, Beads on thread, Terracotta face, Wax seal, Patchwork quilt',
  ),
  topic(
    'pets',
    [200, 0],
    ['borderless'],
    'Street dog adopted, Cat versus printer, Parrot repeats, Tortoise sprint, First bath, Goat on the roof, Puppy learns stairs, Aquarium reset, Cow in traffic, Rabbit siesta, Vet day, Pigeon loft',
  ),
  topic(
    'cars and bikes',
    [240, 0.2],
    [],
    'Kick-start ritual, Cafe racer build, Dent with hot water, Mileage myth, Sidecar Sunday, Rickshaw art, Chain clean, Clutch by feel, Off-road scooter, Engine sounds quiz, Two-stroke smoke, Puncture in five',
  ),
  topic(
    'study tips',
    [75, 0.6, 0.7],
    ['sells'],
    'Revise with flash cards, Mental maths, Notes that stick, Essay in an hour, Desk reset, Grammar in songs, Past paper sprint, Focus with rain sounds, Physics by drawing, Vocabulary chain, Night before the exam, Teach it to a pillow',
  ),
  topic(
    'home making',
    [300, 0.4, 0.7],
    ['sells'],
    'Spice rack reset, Small flat big table, Stain rescue, Fold a fitted sheet, Kitchen under 100 square feet, Curtains from saris, Water saved, Deep clean in loops, Ironing shortcuts, Festive corner, Rust off the tawa, Bucket garden shelf',
  ),
];

/** Second halves of titles; the empty one keeps the bare head. */
export const TITLE_TAILS: readonly string[] = [
  '',
  ' in one minute',
  ', part two',
  ': the basics',
  ' nobody shows you',
  ' with my father',
  ', first try',
  ' and what went wrong',
  ', uncut',
  ' on a budget',
  ': three mistakes',
  ' after the rain',
  ', slow and easy',
  ' at 6 am',
  ': the rematch',
  ' explained twice',
  ' for the shy',
  ', live',
  ' challenge',
  ' before dinner',
  ': neighbours react',
  ', the long way',
];

/** How a video feels. People differ in which of these they can stand. */
export const MOODS = ['calm', 'funny', 'instructive', 'thrilling'] as const;

export interface Culture {
  readonly name: string;
  readonly women: readonly string[];
  readonly men: readonly string[];
  /** Endings of creators' channel names. */
  readonly channels: readonly string[];
}

/** The first one is the majority; the rest share the minority. */
export const CULTURES: readonly [Culture, ...Culture[]] = [
  {
    name: 'hindi',
    women: ['Asha', 'Priya', 'Neha', 'Kavita', 'Sunita', 'Pooja', 'Ritu', 'Anjali', 'Meera', 'Divya', 'Nisha', 'Rekha'],
    men: [
      'Rahul',
      'Amit',
      'Vikram',
      'Rohan',
      'Sanjay',
      'Arjun',
      'Deepak',
      'Manoj',
      'Nikhil',
      'Suresh',
      'Ajay',
      'Karan',
    ],
    channels: ['ki Duniya', 'Adda', 'Junction', 'Express'],
  },
  {
    name: 'tamil',
    women: ['Kavya', 'Lakshmi', 'Meenakshi', 'Revathi', 'Selvi', 'Thenmozhi', 'Yazhini', 'Malar'],
    men: ['Karthik', 'Murugan', 'Senthil', 'Kumaran', 'Ilango', 'Velan', 'Anbu', 'Prakash'],
    channels: ['Ulagam', 'Theru', 'Nadai', 'Kadai'],
  },
  {
    name: 'bengali',
    women: ['Ananya', 'Mitali', 'Sharmila', 'Rupa', 'Debjani', 'Paromita', 'Tanusree', 'Ishita'],
    men: ['Anirban', 'Subhash', 'Partha', 'Sourav', 'Dipankar', 'Tapan', 'Arnab', 'Kaushik'],
    channels: ['Para', 'Golpo', 'Bari', 'Mela'],
  },
  {
    name: 'marathi',
    women: ['Aarti', 'Sayali', 'Manasi', 'Vaishali', 'Pallavi', 'Swati', 'Mrunal', 'Ketaki'],
    men: ['Ganesh', 'Sachin', 'Mahesh', 'Prasad', 'Tushar', 'Nitin', 'Omkar', 'Shrikant'],
    channels: ['Katta', 'Wada', 'Gav', 'Rasta'],
  },
];

export const PRAISE: readonly string[] = [
  'Loved the ending!',
  'Saved this, thank you.',
  'My whole family watched it twice.',
  'Best one this week.',
  'Please make part two.',
  'So clear and so short.',
];

export const GRUMBLES: readonly string[] = [
  'Too long for what it shows.',
  'The title promised something else.',
  'Could not hear a word.',
  'Seen this ten times already.',
  'Not for me.',
  'Why is this in my feed?',
];
