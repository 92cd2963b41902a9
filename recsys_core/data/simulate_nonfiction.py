"""The true stories of the simulated shop: grammars of its five categories of non-fiction."""

from recsys_core.data.simulate_texts import Category, Theme

HISTORY = Category(
    name="History",
    book_share=0.7,
    titles=(
        "The {Noun} of {place}", "{place}: A History of the {Noun}", "The {Adjective} {Noun}",
        "The {Noun} That Shook {place}", "When {place} Burned", "The Age of the {Noun}",
    ),
    adjectives=("forgotten", "imperial", "long", "fallen", "great", "iron", "unwritten"),
    endings=(
        "A {adjective} history told from letters, ledgers and ruins.",
        "Based on newly opened archives, and as gripping as a novel.",
        "A historian's portrait of people who didn't know how it would end.",
        "Maps, portraits and a chronology complete the account.",
    ),
    themes=(
        Theme(
            "ancient history",
            ("pharaoh", "legion", "temple", "aqueduct", "oracle", "emperor", "gladiator"),
            (
                "The ancient world, from the {noun} to the harvest, as the stones of {place} tell it.",
                "{hero} digs up a {noun} near {place} and rewrites two centuries of Roman history.",
                "Rome, Egypt and a {noun}: antiquity seen from the provinces around {place}.",
            ),
        ),
        Theme(
            "world war history",
            ("trench", "armistice", "convoy", "siege", "front", "battalion", "bomber"),
            (
                "The war diary of {hero}, a soldier who saw the {noun} at {place} and lived to write it.",
                "Hour by hour through the battle of {place}, where a {noun} decided the war.",
                "What the generals hid about the {noun}, in the words of the people of {place}.",
            ),
        ),
        Theme(
            "seafaring history",
            ("galleon", "mutiny", "privateer", "cargo", "compass", "whaler", "shipwreck"),
            (
                "The story of a {noun}: in 1741 two hundred sailors left {place}, and nine came home.",
                "{hero} follows the old navigators' sea routes, from {place} to the last {noun}.",
                "The age of sail seen through one {noun}, its captain and the harbour of {place}.",
            ),
        ),
        Theme(
            "industrial revolution history",
            ("loom", "steam engine", "canal", "strike", "foundry", "mill", "telegraph"),
            (
                "Steam, coal and a {noun} turned {place} from a village into the workshop of the world.",
                "{hero} tells how the {noun} made fortunes in {place}, and who paid for them.",
                "The inventors, workers and machines behind the {noun}, from the factories of {place}.",
            ),
            kin="Science",
        ),
    ),
)  # fmt: skip

TRAVEL = Category(
    name="Travel",
    book_share=0.6,
    titles=(
        "The Road to {place}", "{place} by {Noun}", "The {Adjective} {Noun}", "A Year in {place}",
        "{Noun} and {place}", "Slowly to {place}",
    ),
    adjectives=("slow", "long", "open", "wandering", "salt", "high", "southbound"),
    endings=(
        "With routes, maps and the {adjective} pleasure of getting lost.",
        "A travel companion for those who go, and for those who dream.",
        "Strangers, landscapes and the kindness of people along the way.",
        "An honest, {adjective} account that makes one reach for a rucksack.",
    ),
    themes=(
        Theme(
            "railway journey",
            ("night train", "railway", "sleeper car", "branch line", "station", "timetable", "locomotive"),
            (
                "{hero} crosses three countries on the {noun} to {place}, one window seat at a time.",
                "Thirty thousand kilometres of track, a {noun} and no aeroplane: by rail from {place}.",
                "The great railway journeys, from a {noun} in {place} to the end of the line.",
            ),
        ),
        Theme(
            "mountain hiking",
            ("summit", "trail", "mountain hut", "glacier", "pass", "ridge walk", "valley"),
            (
                "{hero} walks the high trail above {place} alone, from the {noun} to the first snow.",
                "Forty hikes around {place}, each with a {noun}, a view and a bed for the night.",
                "A year of hiking boots, thin air and the {noun} over {place}.",
            ),
        ),
        Theme(
            "island travel",
            ("island", "ferry", "lagoon", "atoll", "harbour", "reef", "mail boat"),
            (
                "Sixteen small islands beyond {place}, reached by {noun}, and the people who stay there.",
                "{hero} takes the {noun} from {place} and spends a winter on an island of eleven people.",
                "Sea, wind and a {noun}: island hopping off {place} without a plan.",
            ),
        ),
        Theme(
            "city guide",
            ("market", "boulevard", "cafe", "tram", "rooftop", "old town", "courtyard"),
            (
                "{place} street by street: where to eat, what to see, and the {noun} that no guide mentions.",
                "{hero} lived in {place} for ten years and shows the city from the {noun}.",
                "Five walks through {place}, from the {noun} at dawn to the last bar at night.",
            ),
        ),
    ),
)  # fmt: skip

COOKING = Category(
    name="Cooking",
    book_share=0.8,
    titles=(
        "The {Noun} Kitchen of {place}", "{Noun} from {place}", "The {Adjective} {Noun}",
        "Simply {Noun}", "{Noun} and Friends in {place}", "Sunday {Noun} with {last}",
    ),
    adjectives=("generous", "slow", "crisp", "golden", "honest", "everyday", "hungry"),
    endings=(
        "Eighty {adjective} recipes, each with a photograph and a shopping list.",
        "Clear steps, few pans and flavours for every day of the week.",
        "For beginners and for those who think that they know it all.",
        "With menus, {adjective} tips and what to do with the leftovers.",
    ),
    themes=(
        Theme(
            "bread baking",
            ("sourdough", "rye", "flatbread", "crust", "brioche", "bagel", "focaccia"),
            (
                "Baker {hero} of {place} explains flour, water and salt, from {noun} to the Sunday loaf.",
                "Knead, prove, bake: sixty breads from the ovens of {place}, {noun} among them.",
                "How to keep a starter alive and bake {noun} at home as they do in {place}.",
            ),
        ),
        Theme(
            "vegetarian cooking",
            ("lentil", "aubergine", "beetroot", "chickpea", "mushroom", "pumpkin", "kale"),
            (
                "Vegetarian dishes from the gardens of {place}, from {noun} soup to a feast for twelve.",
                "{hero} cooks with vegetables alone, and the {noun} has never tasted so good.",
                "No meat, no fuss: plant-based suppers from {place}, with {noun} and herbs.",
            ),
        ),
        Theme(
            "street food and spices",
            ("curry", "dumpling", "chilli", "noodle", "satay", "masala", "taco"),
            (
                "{hero} eats through the night markets of {place} and brings the {noun} home.",
                "Hot, sour and smoky: street food from {place}, from {noun} to grilled corn.",
                "A guide to spices, and to the {noun} stalls of {place} that use them best.",
            ),
            kin="Travel",
        ),
        Theme(
            "cakes and desserts",
            ("meringue", "chocolate", "tart", "sponge", "caramel", "custard", "pudding"),
            (
                "Pastry chef {hero} shares the cakes of {place}, from {noun} to a wedding tower.",
                "Sugar, butter and {noun}: desserts for people in {place} who skip the main course.",
                "A hundred sweet things to bake, with the {noun} that made a cafe in {place} famous.",
            ),
        ),
    ),
)  # fmt: skip

SCIENCE = Category(
    name="Science",
    book_share=0.7,
    titles=(
        "The {Noun} Equation", "The {Adjective} {Noun}", "What the {Noun} Knows", "A Life of the {Noun}",
        "{last} and the {Noun}", "The {Noun} over {place}",
    ),
    adjectives=("invisible", "elegant", "restless", "hidden", "improbable", "curious", "deep"),
    endings=(
        "Clear, {adjective} science for readers without a formula in sight.",
        "From the first experiment to the questions that are still open.",
        "A scientist's tour of what we know and how we found out.",
        "With diagrams, {adjective} anecdotes and a reading list.",
    ),
    themes=(
        Theme(
            "astronomy",
            ("telescope", "black hole", "supernova", "galaxy", "pulsar", "nebula", "white dwarf"),
            (
                "Astronomer {hero} watches a {noun} from {place} and explains the universe.",
                "From the big bang to the {noun}: the night sky over {place}, and what its light tells.",
                "How a {noun} is born, lives and dies, told by the people at the telescope in {place}.",
            ),
        ),
        Theme(
            "marine biology",
            ("octopus", "coral", "plankton", "whale", "kelp", "seahorse", "eel"),
            (
                "Marine biologist {hero} dives off {place} to study the {noun}, and finds a mind down there.",
                "The ocean's strangest animals, from the {noun} to the worms of the deep sea near {place}.",
                "Why the {noun} matters, and what warming water does to the reefs of {place}.",
            ),
        ),
        Theme(
            "brain and mind",
            ("memory", "fear", "pain", "sleep", "language", "habit", "attention"),
            (
                "Neuroscientist {hero} tells what {noun} is, through nine patients from a clinic in {place}.",
                "Why the brain forgets, lies and dreams: new psychology of {noun} from {place}.",
                "The riddle of {noun}, and the experiments on the human mind in {place} that changed it.",
            ),
        ),
        Theme(
            "mathematics",
            ("prime number", "theorem", "infinity", "zero", "proof", "knot", "probability"),
            (
                "Mathematician {hero} spent forty years on a {noun} first written on a napkin in {place}.",
                "Numbers for everyone: the {noun}, the people of {place} who met it, and why it matters.",
                "Puzzles, games and the {noun}, from the cafes of {place} where mathematics is made.",
            ),
        ),
    ),
)  # fmt: skip

DOCUMENTARY = Category(
    name="Documentary",
    book_share=0.0,
    titles=(
        "The {Noun} of {place}", "Inside the {Noun}", "The {Adjective} {Noun}", "{place}: The {Noun}",
        "A Season with the {Noun}", "{last} Against the {Noun}",
    ),
    adjectives=("wild", "loud", "last", "patient", "golden", "unseen", "quiet"),
    endings=(
        "Filmed over three years, without narration and without haste.",
        "An intimate, {adjective} documentary that lets its subjects speak.",
        "Rare footage and the voices of those who were there.",
        "A {adjective} film about devotion, and what it costs.",
    ),
    themes=(
        Theme(
            "wildlife documentary",
            ("wolf", "crane", "snow leopard", "elephant", "rainforest", "honeybee", "salmon"),
            (
                "A camera team waits two winters near {place} for the {noun} that nobody has filmed.",
                "From birth to the great migration: a year in the life of a {noun} near {place}.",
                "{hero} guards the last wild {noun} around {place} against poachers and drought.",
            ),
            kin="Science",
        ),
        Theme(
            "music documentary",
            ("choir", "jazz club", "drummer", "vinyl", "orchestra", "tour bus", "guitar"),
            (
                "The rise and fall of a band from {place}, told by its {noun} and the fans.",
                "{hero} was the greatest voice of {place}; the {noun} remembers what fame did.",
                "Backstage with the {noun}: rehearsals, quarrels and one unforgettable concert in {place}.",
            ),
        ),
        Theme(
            "sports documentary",
            ("marathon", "goalkeeper", "boxing ring", "cyclist", "coach", "final", "underdog"),
            (
                "The worst football team of {place}, its {noun} and the season that changed a town.",
                "Olympic hopeful {hero} trains in {place} for the {noun}, with one knee and no money.",
                "Sweat, defeat and the {noun}: the story of a champion from {place}.",
            ),
        ),
        Theme(
            "craft and work documentary",
            ("boatbuilder", "watchmaker", "weaver", "bell founder", "potter", "beekeeper", "bookbinder"),
            (
                "The last {noun} of {place} has nobody to teach, until {hero} knocks at the workshop door.",
                "Hands, tools and patience: the {noun} of {place} through four seasons of work.",
                "How things are made, from raw wood to masterpiece, by a {noun} in {place}.",
            ),
        ),
    ),
)  # fmt: skip

NONFICTION = (HISTORY, TRAVEL, COOKING, SCIENCE, DOCUMENTARY)
