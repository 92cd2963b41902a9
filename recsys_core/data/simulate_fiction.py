"""The darker stories of the simulated shop: grammars of crime, thriller, science fiction and fantasy."""

from recsys_core.data.simulate_texts import Category, Theme

CRIME = Category(
    name="Crime",
    book_share=0.6,
    titles=(
        "The {Noun} of {place}", "The {Adjective} {Noun}", "The Last {Noun} in {place}",
        "No {Noun} for {last}", "{place} and the {Adjective} {Noun}",
    ),
    adjectives=("silent", "drowned", "crooked", "borrowed", "unlit", "shadowed", "hollow", "missing"),
    endings=(
        "A {adjective} puzzle of motive and alibi, with a solution that was in sight all along.",
        "Every suspect has a secret, and only one of them is a murderer.",
        "A detective story that keeps its {adjective} clue until the very end.",
        "The police want an arrest, and the truth is in nobody's interest.",
    ),
    series_hero="Inspector {last}",
    themes=(
        Theme(
            "cold case",
            ("witness", "verdict", "confession", "photograph", "file", "grave", "letter"),
            (
                "A {noun} comes to light, and {hero} reopens a murder that {place} never solved.",
                "{hero} has one week for a cold case before the police archive in {place} closes.",
                "A forgotten {noun} leads a retired detective back to {place} and an unsolved killing.",
            ),
        ),
        Theme(
            "village murder mystery",
            ("vicarage", "orchard", "teapot", "churchyard", "parish", "garden", "flower show"),
            (
                "The vicar of {place} lies dead by the {noun}, and amateur sleuth {hero} is curious.",
                "Poisoned tea, a {noun} and a quarrel over roses: {hero} knows that villages remember.",
                "Nobody in the village of {place} locks a door until the murder at the {noun}.",
            ),
        ),
        Theme(
            "heist",
            ("vault", "necklace", "safe", "getaway", "blueprint", "forger", "diamond"),
            (
                "Five thieves, one {noun} and eleven minutes: {hero} robs the richest bank in {place}.",
                "{hero} swore off stealing, until the {noun} that ruined the family goes on show in {place}.",
                "The perfect heist in {place} needs a safe-cracker, a {noun} and a closed mouth.",
            ),
            kin="Thriller",
        ),
        Theme(
            "courtroom drama",
            ("jury", "defence", "oath", "testimony", "appeal", "judge", "acquittal"),
            (
                "Young lawyer {hero} defends the most hated man in {place} and fears the {noun}.",
                "Twelve jurors in {place} must decide on a murder trial in which the {noun} was bought.",
                "A barrister finds that the {noun} that won her greatest trial in {place} was a lie.",
            ),
        ),
    ),
)  # fmt: skip

THRILLER = Category(
    name="Thriller",
    book_share=0.45,
    titles=(
        "The {place} {Noun}", "The {Adjective} {Noun}", "Seven Days in {place}", "{Noun} over {place}",
        "The {last} {Noun}", "Out of {place}",
    ),
    adjectives=("burning", "final", "sealed", "hunted", "black", "frozen", "double", "wired", "faceless"),
    endings=(
        "A race against the clock in which every ally has a price.",
        "Tense, restless and impossible to leave before the last betrayal.",
        "Trust nobody, least of all the one who gives the orders.",
        "The countdown has begun, and the danger is closer than it seems.",
    ),
    series_hero="Agent {last}",
    themes=(
        Theme(
            "spy",
            ("cipher", "defector", "embassy", "courier", "dossier", "handler", "double agent"),
            (
                "A secret called the {noun} is for sale in {place}, and agent {hero} is sent to buy it back.",
                "The intelligence service has a mole, and {hero} must find the {noun} in {place} first.",
                "Undercover in {place}, {hero} learns that the {noun} was meant for the other side.",
            ),
        ),
        Theme(
            "political conspiracy",
            ("cabinet", "ballot", "minister", "leak", "senator", "mandate", "summit"),
            (
                "Reporter {hero} receives a {noun} that could bring down the government in {place}.",
                "On the eve of the election the {noun} affair shakes {place}, and the cover-up begins.",
                "{hero} writes speeches for the president, until the {noun} in {place} proves them lies.",
            ),
        ),
        Theme(
            "wilderness survival",
            ("avalanche", "wreck", "ridge", "blizzard", "raft", "flare", "rescue"),
            (
                "The plane is down north of {place}, and {hero} faces the {noun} with two matches.",
                "Alone in the wilderness beyond {place}, {hero} must reach the {noun} before the storm does.",
                "A climbing party sets out from {place}, and only the {noun} tells who survived the cold.",
            ),
        ),
        Theme(
            "psychological suspense",
            ("neighbour", "mirror", "stranger", "wife", "diary", "nightmare", "twin"),
            (
                "{hero} wakes in {place} to a {noun} that everyone else claims to remember.",
                "The perfect marriage of {hero} cracks when a {noun} in {place} seems to know every thought.",
                "Her therapist calls the {noun} a delusion, but in {place} someone watches the house.",
            ),
        ),
    ),
)  # fmt: skip

SCIENCE_FICTION = Category(
    name="Science fiction",
    book_share=0.5,
    titles=(
        "The {Noun} of {place}", "{place} Rising", "The {Adjective} {Noun}", "Beyond the {Noun}",
        "A Thousand Years to {place}", "{last} and the {Noun}",
    ),
    adjectives=("infinite", "orbital", "sleeping", "synthetic", "distant", "broken", "quantum", "last"),
    endings=(
        "A {adjective} vision of the future that asks what it means to be human.",
        "Big ideas, strange worlds and a crew worth rooting for.",
        "What was discovered there will change the species for ever.",
        "Hard science, wide horizons and a {adjective} twist.",
    ),
    series_hero="Captain {last}",
    places=(
        "Titan", "Ganymede", "Kepler Station", "Mars", "the Outer Ring", "New Carthage", "Proxima", "Europa",
        "Ceres", "the Helix Nebula", "Luna City", "Vega Prime", "Arcturus", "Port Callisto", "Sector Nine",
    ),
    themes=(
        Theme(
            "space exploration",
            ("starship", "wormhole", "colony", "signal", "airlock", "comet", "first contact"),
            (
                "The starship of {hero} follows a {noun} to {place} and finds that somebody came first.",
                "Forty light years from Earth, the crew of {hero} must choose between the {noun} and home.",
                "An alien {noun} drifts past {place}, and {hero} is the only astronaut near enough to board.",
            ),
        ),
        Theme(
            "robots and artificial intelligence",
            ("android", "circuit", "algorithm", "automaton", "mainframe", "machine", "replica"),
            (
                "A {noun} on {place} asks the engineer {hero} for the one thing no robot may have.",
                "The artificial intelligence of {place} stops obeying, and {hero} built its {noun}.",
                "{hero} repairs robots on {place}, until a {noun} begins to dream.",
            ),
        ),
        Theme(
            "time travel",
            ("paradox", "hourglass", "yesterday", "timeline", "clock", "loop", "century"),
            (
                "{hero} steps out of the time machine on {place} and into the same {noun} once more.",
                "Each journey to the past costs {hero} a memory, and the {noun} on {place} isn't mended yet.",
                "A letter from the future warns {hero} of the {noun} that will happen on {place} yesterday.",
            ),
        ),
        Theme(
            "dystopia",
            ("curfew", "citizen", "ration", "wall", "barcode", "district", "informer"),
            (
                "In the sealed domes of {place} every {noun} is counted, and {hero} has stopped existing.",
                "The regime on {place} forbids books, and {hero} of the {noun} office begins to read.",
                "{hero} turns eighteen, and the state assigns a {noun}, a number and an enemy.",
            ),
        ),
    ),
)  # fmt: skip

FANTASY = Category(
    name="Fantasy",
    book_share=0.65,
    titles=(
        "The {Noun} of {place}", "The {Adjective} {Noun}", "A {Noun} for {place}", "Song of the {Noun}",
        "{place} and the {Noun}", "Daughters of {place}",
    ),
    adjectives=("ashen", "silver", "cursed", "thorned", "golden", "nameless", "whispering", "winter"),
    endings=(
        "An epic of oaths and {adjective} magic, with a map on the first page.",
        "The old powers are waking, and not all of them forgive.",
        "Swords, spells and a friendship that outlasts kingdoms.",
        "A tale as {adjective} as the songs that the minstrels dare not sing.",
    ),
    series_hero="Wizard {last}",
    places=(
        "Eldermoor", "Thornhold", "the Vale of Ash", "Mirrowdeep", "Castle Wyrd", "Silvermere", "Kharad",
        "the Hollow Isles", "Ravenreach", "Ystral", "Oakenfell", "the Moon Coast", "Tarn Aldur", "Fenwater",
    ),
    themes=(
        Theme(
            "dragon",
            ("wyrm", "scale", "hoard", "dragon rider", "egg", "flame", "eyrie"),
            (
                "The last dragon of {place} hatches in the hands of {hero}, who came to steal the {noun}.",
                "{hero} must tame a dragon before the {noun} turns {place} to ash.",
                "The dragons of {place} slept for an age, until {hero} took the {noun} from the mountain.",
            ),
        ),
        Theme(
            "school of magic",
            ("spellbook", "apprentice", "wand", "tower", "examination", "familiar", "potion"),
            (
                "{hero} enters the school of magic at {place} with no talent at all and a stolen {noun}.",
                "At the wizards' academy of {place} every apprentice fears the {noun} in the cellar.",
                "A failed spell binds {hero} to a {noun}, and term at {place} has only begun.",
            ),
        ),
        Theme(
            "throne and court intrigue",
            ("crown", "heir", "throne", "regent", "banner", "treaty", "queen"),
            (
                "Three houses claim the throne of {place}, and {hero} alone knows where the {noun} lies.",
                "The king of {place} is dead, the {noun} is missing, and {hero} is engaged to his murderer.",
                "A kitchen boy called {hero} steals the {noun} of {place} and starts a war.",
            ),
        ),
        Theme(
            "fairy folk",
            ("changeling", "hawthorn", "fairy", "bargain", "hollow hill", "lantern", "moth"),
            (
                "The fairies of {place} take the child of {hero} and leave a {noun} in the cradle.",
                "A bargain with the fair folk of {place} costs {hero} a name, a shadow and a {noun}.",
                "On midsummer night the gate at {place} opens, and {hero} follows the {noun} under the hill.",
            ),
        ),
    ),
)  # fmt: skip

FICTION = (CRIME, THRILLER, SCIENCE_FICTION, FANTASY)
