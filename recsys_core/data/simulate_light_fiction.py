"""The lighter stories of the simulated shop: grammars of romance, comedy and children's items."""

from recsys_core.data.simulate_texts import Category, Theme

ROMANCE = Category(
    name="Romance",
    book_share=0.6,
    titles=(
        "A {Noun} in {place}", "The {Adjective} {Noun}", "Love and the {Noun}", "{place}, With Love",
        "The {Noun} Next Door", "Waiting for {place}",
    ),
    adjectives=("tender", "unsent", "summer", "stolen", "velvet", "midnight", "secret", "gentle"),
    endings=(
        "A warm love story about {adjective} chances and open hearts.",
        "Sparks fly, hearts break, and the rain stops just in time.",
        "Two people who should never have met, and who can't stay apart.",
        "Tender and funny, with a {adjective} kiss that was worth the wait.",
    ),
    themes=(
        Theme(
            "second chance love",
            ("reunion", "promise", "postcard", "divorce", "sweetheart", "goodbye", "ring"),
            (
                "Twelve years after the {noun}, {hero} meets her first love again in {place}.",
                "{hero} returns to {place} to sell the house and finds the {noun} that broke two hearts.",
                "They married too young and parted too soon, until a {noun} brings {hero} back to {place}.",
            ),
        ),
        Theme(
            "seaside summer romance",
            ("beach house", "bookshop", "ice cream van", "sailboat", "lighthouse", "pier", "bakery"),
            (
                "{hero} inherits a {noun} by the sea in {place}, and a grumpy neighbour with blue eyes.",
                "One summer in {place}, one {noun} to save, and a fisherman who reads poetry.",
                "{hero} rents the {noun} in {place} to forget a wedding, and falls in love by August.",
            ),
        ),
        Theme(
            "office romance",
            ("promotion", "deadline", "rival", "elevator", "boss", "coffee", "contract"),
            (
                "{hero} and the handsome enemy from sales share a {noun} and one desk in {place}.",
                "Rule one of the agency in {place}: no love before the {noun}; {hero} breaks it.",
                "A fake engagement for the sake of a {noun} gets out of hand at the office of {hero}.",
            ),
        ),
        Theme(
            "regency romance",
            ("duke", "ballroom", "governess", "carriage", "dowry", "scandal", "waltz"),
            (
                "Lady {hero} needs a husband by spring, and the {noun} of {place} needs a scandal.",
                "A {noun}, a masked ball and a duke who has sworn never to marry await {hero} in {place}.",
                "The orphan {hero} comes to {place} with one trunk and a secret that could ruin the {noun}.",
            ),
            kin="History",
        ),
    ),
)  # fmt: skip

COMEDY = Category(
    name="Comedy",
    book_share=0.35,
    titles=(
        "The {Noun} from {place}", "My {Adjective} {Noun}", "How to Lose a {Noun}", "Trouble in {place}",
        "{last} and the {Noun}", "Not Another {Noun}",
    ),
    adjectives=("ridiculous", "unlikely", "hopeless", "spare", "inflatable", "accidental", "polite"),
    endings=(
        "A {adjective} farce in which nothing goes to plan and everybody talks at once.",
        "Laugh-out-loud jokes, slammed doors and one very confused goat.",
        "It can only get worse, and does, hilariously.",
        "Dry wit, warm heart and a {adjective} finale.",
    ),
    series_hero="Cousin {first}",
    themes=(
        Theme(
            "family comedy",
            ("grandmother", "barbecue", "reunion", "mother-in-law", "caravan", "roast goose", "cousin"),
            (
                "Four generations, one bathroom, a {noun}: {hero} spends Christmas in {place}.",
                "{hero} tells the family in {place} one small lie about the {noun}, and they all come.",
                "When the {noun} goes missing, the whole quarrelsome clan of {hero} descends on {place}.",
            ),
        ),
        Theme(
            "office comedy",
            ("photocopier", "memo", "intern", "meeting", "stapler", "team day", "manager"),
            (
                "{hero} is made manager of {place} by mistake, and the {noun} is the only one who notices.",
                "The worst paper company in {place} has a {noun}, no customers and {hero}.",
                "An e-mail about the {noun} goes to everyone, and {hero} has to work in {place} on Monday.",
            ),
        ),
        Theme(
            "wedding comedy",
            ("best man", "bridesmaid", "wedding cake", "groom", "bouquet", "honeymoon", "seating plan"),
            (
                "The {noun} is stuck in {place}, the bride has hiccups, and {hero} has lost the rings.",
                "For the ninth time {hero} is in charge of the {noun}, and the wedding in {place} must stop.",
                "Two weddings, one hall in {place}, and a {noun} that nobody ordered.",
            ),
            kin="Romance",
        ),
        Theme(
            "road trip comedy",
            ("camper van", "hitchhiker", "detour", "motel", "flat tyre", "llama", "tollbooth"),
            (
                "{hero} and an ex-husband must drive a {noun} to {place} in four days without a word.",
                "Three retired clowns, a {noun} and a map upside down: the road to {place} is long.",
                "The shortest way to {place} leads {hero} past a {noun}, a nunnery and the wrong country.",
            ),
            kin="Travel",
        ),
    ),
)  # fmt: skip

CHILDREN = Category(
    name="Children",
    book_share=0.65,
    titles=(
        "The {Noun} Who Came to {place}", "The {Adjective} {Noun}", "Where Is the {Noun}?",
        "Goodnight, {place}", "The {Noun} and the {Adjective} Hat", "The {place} Club",
    ),
    adjectives=("tiny", "brave", "sleepy", "purple", "muddy", "giggling", "curious", "wobbly"),
    endings=(
        "With {adjective} pictures, for little ones from three to seven.",
        "A story to read aloud about being small and being brave.",
        "Full of friendship, giggles and muddy boots.",
        "Children will ask for this {adjective} tale again and again.",
    ),
    series_hero="Little {first}",
    themes=(
        Theme(
            "animal story for children",
            ("hedgehog", "rabbit", "penguin", "duckling", "bear", "fox cub", "otter"),
            (
                "A little {noun} has lost its mother in {place}, and all the animals help to look.",
                "The smallest {noun} in the forest wants to fly, and {hero} the owl has a plan.",
                "When winter comes to {place}, a {noun} learns to share its nest with a mouse.",
            ),
        ),
        Theme(
            "bedtime story",
            ("moon", "pillow", "teddy", "star", "blanket", "dream", "lullaby"),
            (
                "{hero} can't fall asleep, so the {noun} tells a story about the night in {place}.",
                "The {noun} is tired too, and one by one the lights of {place} say goodnight.",
                "Every bedtime {hero} counts one more {noun}, until sleep comes softly.",
            ),
        ),
        Theme(
            "children's treasure adventure",
            ("pirate", "treasure map", "island", "cave", "parrot", "tree house", "secret door"),
            (
                "Four children and a dog find a {noun} in {place} and set off for the treasure.",
                "{hero} is only nine, but the {noun} of {place} has chosen a new pirate captain.",
                "Behind the garden wall in {place}, {hero} discovers a {noun} and a summer of adventure.",
            ),
        ),
        Theme(
            "school story for children",
            ("new girl", "lunch box", "school play", "teacher", "classroom", "playground", "spelling bee"),
            (
                "{hero} starts school in {place} today, and the {noun} isn't frightening at all.",
                "Something is wrong with the {noun} in class two of {place}, and {hero} means to find out.",
                "The new teacher in {place} is a witch, says {hero}, and the {noun} proves it.",
            ),
        ),
    ),
)  # fmt: skip

LIGHT_FICTION = (ROMANCE, COMEDY, CHILDREN)
