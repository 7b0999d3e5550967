//! The second set: pastimes, occupations, families and temperaments, each asked for in five ways, in other words than the
//! texts have, and of whom it holds: by the facts of a country's people alone.

/// What is known of a person.
pub struct Fact {
    pub queries: [&'static str; 5],
    /// Of whom it holds, in SQL: in Brazil, India, Japan, Singapore and the USA
    pub holds: [&'static str; 5],
}

/// The narratives that are written and searched.
pub const NARRATIVES: [&str; 4] = ["persona", "professional_persona", "hobbies_and_interests", "cultural_background"];

/// People of each country of whom nothing of this holds.
pub const WITHOUT: usize = 40;

pub const FACTS: [Fact; 20] = [
    Fact {
        queries: [
            "goes out on two wheels for pleasure",
            "a keen cyclist",
            "pedals many miles at the weekend",
            "never far from a saddle and handlebars",
            "owns a bike and uses it a lot",
        ],
        holds: [
            "array_has_any(hobbies_and_interests_list, ['ciclismo', 'passeios de bicicleta', 'mountain bike'])",
            "array_has_any(hobbies_and_interests_list, ['cycling'])",
            "array_has_any(hobbies_and_interests_list, ['サイクリング', 'ロードバイク', 'ポタリング'])",
            "array_has_any(hobbies_and_interests_list, ['cycling along the Rail Corridor', 'weekend cycling to Changi Village', 'foldable bicycle rides'])",
            "array_has_any(hobbies_and_interests_list, ['road cycling', 'mountain biking', 'leisurely bike rides', 'gravel riding', 'bicycle commuting'])",
        ],
    },
    Fact {
        queries: [
            "takes pictures wherever they go",
            "an amateur photographer",
            "always has a camera to hand",
            "cares about light, lens and framing",
            "shoots scenes of streets or landscapes",
        ],
        holds: [
            "array_has_any(hobbies_and_interests_list, ['fotografia', 'fotografia com o celular'])",
            "array_has_any(hobbies_and_interests_list, ['photography with the phone'])",
            "array_has_any(hobbies_and_interests_list, ['風景写真', 'スマホ写真', '鉄道写真', '野鳥撮影', 'ドローン撮影'])",
            "array_has_any(hobbies_and_interests_list, ['film photography', 'street photography', 'phone photography', 'butterfly photography'])",
            "array_has_any(hobbies_and_interests_list, ['nature photography', 'photography classes', 'photo editing'])",
        ],
    },
    Fact {
        queries: [
            "sings together with others",
            "an alto or a tenor in a vocal group",
            "rehearses part songs every week",
            "a member of a chorus",
            "their voice is one among many",
        ],
        holds: [
            "array_has_any(hobbies_and_interests_list, ['canto coral'])",
            "array_has_any(hobbies_and_interests_list, ['singing in the church choir'])",
            "array_has_any(hobbies_and_interests_list, ['合唱', '第九の合唱'])",
            "array_has_any(hobbies_and_interests_list, ['choir singing'])",
            "array_has_any(hobbies_and_interests_list, ['church choir', 'singing in a choir'])",
        ],
    },
    Fact {
        queries: [
            "makes their own garments",
            "handy with needle and thread",
            "sits at the sewing machine",
            "a home dressmaker",
            "cuts cloth to a pattern",
        ],
        holds: [
            "array_has_any(hobbies_and_interests_list, ['costura'])",
            "array_has_any(hobbies_and_interests_list, ['sewing clothes'])",
            "array_has_any(hobbies_and_interests_list, ['洋裁', '着物リメイク', '布小物づくり'])",
            "array_has_any(hobbies_and_interests_list, ['sewing'])",
            "array_has_any(hobbies_and_interests_list, ['sewing clothes', 'costume making'])",
        ],
    },
    Fact {
        queries: [
            "never misses a new movie",
            "a film buff",
            "likes the dark of a picture house",
            "goes to see what is on the big screen",
            "spends evenings watching feature films",
        ],
        holds: [
            "array_has_any(hobbies_and_interests_list, ['cinema', 'cinema nacional', 'filmes em casa'])",
            "array_has_any(hobbies_and_interests_list, ['watching Hindi films', 'watching Tamil films', 'watching Telugu films', 'watching Malayalam films', 'watching Bhojpuri films', 'watching Marathi films', 'watching Bengali films', 'watching Punjabi films'])",
            "array_has_any(hobbies_and_interests_list, ['映画館通い', 'ミニシアター'])",
            "array_has_any(hobbies_and_interests_list, ['going to the cinema', 'Tamil films', 'Hindi films'])",
            "array_has_any(hobbies_and_interests_list, ['going to the cinema', 'independent films', 'superhero movies', 'drive-in movies', 'film festivals', 'classic Hollywood films'])",
        ],
    },
    Fact {
        queries: [
            "has albums full of old money or postage",
            "a numismatist or philatelist",
            "hunts for rare specimens to complete a set",
            "collects small antique valuables",
            "coins or stamps",
        ],
        holds: [
            "array_has_any(hobbies_and_interests_list, ['coleção de moedas'])",
            "array_has_any(hobbies_and_interests_list, ['collecting stamps and coins'])",
            "array_has_any(hobbies_and_interests_list, ['切手収集'])",
            "array_has_any(hobbies_and_interests_list, ['collecting old coins and stamps'])",
            "array_has_any(hobbies_and_interests_list, ['coin collecting', 'stamp collecting'])",
        ],
    },
    Fact {
        queries: [
            "works out with weights",
            "builds muscle",
            "has a fitness membership",
            "pumps iron before or after work",
            "does sets and repetitions on machines",
        ],
        holds: [
            "array_has_any(hobbies_and_interests_list, ['musculação', 'crossfit', 'ginástica funcional'])",
            "array_has_any(hobbies_and_interests_list, ['going to the gym'])",
            "array_has_any(hobbies_and_interests_list, ['ジム通い', '筋トレ'])",
            "array_has_any(hobbies_and_interests_list, ['gym workouts', 'HIIT classes', 'calisthenics at the fitness corner'])",
            "array_has_any(hobbies_and_interests_list, ['gym workouts', 'weightlifting', 'powerlifting', 'circuit training', 'kettlebell workouts'])",
        ],
    },
    Fact {
        queries: [
            "is out with the dog in all weathers",
            "has a canine companion",
            "loves puppies",
            "takes a pet for its daily exercise",
            "holds a leash twice a day",
        ],
        holds: [
            "array_has_any(hobbies_and_interests_list, ['passeios com o cachorro'])",
            "array_has_any(hobbies_and_interests_list, ['keeping a dog'])",
            "array_has_any(hobbies_and_interests_list, ['犬の散歩'])",
            "array_has_any(hobbies_and_interests_list, ['dog walking'])",
            "array_has_any(hobbies_and_interests_list, ['dog walking', 'dog training', 'fostering rescue dogs', 'agility training with dogs'])",
        ],
    },
    Fact {
        queries: [
            "a gamer",
            "spends nights with a console",
            "plays on a computer against strangers",
            "likes to level up and beat the boss",
            "joystick in hand",
        ],
        holds: [
            "array_has_any(hobbies_and_interests_list, ['videogame', 'jogos on-line em equipe', 'jogos no celular'])",
            "array_has_any(hobbies_and_interests_list, ['playing online games'])",
            "array_has_any(hobbies_and_interests_list, ['テレビゲーム', 'オンラインゲーム', 'レトロゲーム', 'スマホゲーム'])",
            "array_has_any(hobbies_and_interests_list, ['PC and console games', 'mobile games'])",
            "array_has_any(hobbies_and_interests_list, ['video games', 'mobile puzzle games', 'strategy games'])",
        ],
    },
    Fact {
        queries: [
            "gives time to a good cause without pay",
            "a charity worker at weekends",
            "lends a hand to people in need",
            "active for the community for free",
            "helps at an unpaid service",
        ],
        holds: [
            "array_has_any(hobbies_and_interests_list, ['trabalho voluntário'])",
            "array_has_any(hobbies_and_interests_list, ['volunteering for festivals', 'volunteering at a blood camp'])",
            "array_has_any(hobbies_and_interests_list, ['子ども食堂の手伝い', '清掃ボランティア', '見守り活動'])",
            "array_has_any(hobbies_and_interests_list, ['volunteering at the food bank', 'befriending seniors', 'beach clean-ups', 'grassroots volunteering', 'reading to children as a volunteer'])",
            "array_has_any(hobbies_and_interests_list, ['food bank volunteering', 'animal shelter volunteering', 'library volunteering', 'hospital volunteering', 'community cleanups'])",
        ],
    },
    Fact {
        queries: [
            "looks after patients on a ward",
            "takes blood pressure and changes dressings",
            "a caring job in a hospital or clinic",
            "works shifts in health care",
            "medical staff but not a doctor",
        ],
        holds: [
            "coalesce(occupation_title, '') ~* 'enferm'",
            "coalesce(occupation, '') ~* 'nurse($|[^r])|nursing'",
            "coalesce(occupation, '') LIKE '%看護師%'",
            "coalesce(occupation, '') ~* 'nurse'",
            "occupation IN ('registered_nurses', 'licensed_practical_and_licensed_vocational_nurses')",
        ],
    },
    Fact {
        queries: [
            "stands before a class of children",
            "educates the young for a living",
            "marks homework in the evening",
            "works at a school",
            "an educator by profession",
        ],
        holds: [
            "coalesce(occupation_title, '') ~* '^professor'",
            "coalesce(occupation, '') ~* 'teacher'",
            "coalesce(occupation, '') LIKE '%教諭%'",
            "coalesce(occupation, '') ~* 'teacher'",
            "occupation IN ('elementary_and_middle_school_teachers', 'secondary_school_teachers', 'preschool_and_kindergarten_teachers', 'special_education_teachers')",
        ],
    },
    Fact {
        queries: [
            "prepares meals for guests for a living",
            "stands at a stove all day at work",
            "runs the line of a professional kitchen",
            "employed to feed diners",
            "a restaurant chef",
        ],
        holds: [
            "coalesce(occupation_title, '') ~* '^(cozinheir|chef)'",
            "coalesce(occupation, '') ~* '(^| )(cook|chef)'",
            "coalesce(occupation, '') ~ '調理師|調理人|板前|シェフ|料理人|調理員'",
            "coalesce(occupation, '') ~* '(^| |/)(cook|chef)'",
            "occupation IN ('cooks', 'chefs_and_head_cooks')",
        ],
    },
    Fact {
        queries: [
            "behind the wheel for a living",
            "carries goods or passengers by road",
            "paid to steer a bus, taxi or lorry",
            "earns money in traffic",
            "a chauffeur or trucker",
        ],
        holds: [
            "coalesce(occupation_title, '') ~* '^motorista'",
            "coalesce(occupation, '') ~* 'driver'",
            "coalesce(occupation, '') ~ '運転手|運転者|ドライバー'",
            "coalesce(occupation, '') ~* 'driver'",
            "occupation IN ('driver_sales_workers_and_truck_drivers', 'bus_drivers_transit_and_intercity', 'bus_drivers_school', 'taxi_drivers', 'shuttle_drivers_and_chauffeurs')",
        ],
    },
    Fact {
        queries: [
            "keeps watch over a building at night",
            "protects property for an employer",
            "checks who comes in at the gate",
            "patrols premises in a uniform",
            "works as a sentry",
        ],
        holds: [
            "coalesce(occupation_title, '') ~* '^(vigia|vigilante|guarda)'",
            "coalesce(occupation, '') ~* 'watch(man|men)|security guard|chowkidar'",
            "coalesce(occupation, '') LIKE '%警備%'",
            "coalesce(occupation, '') ~* 'security guard|security officer'",
            "occupation LIKE 'security_guards%'",
        ],
    },
    Fact {
        queries: [
            "lost a husband or wife",
            "the spouse has died",
            "a widow or widower",
            "goes on after the death of a partner",
            "bereaved",
        ],
        holds: [
            "conjugal_status = 'Viuvez'",
            "marital_status = 'widowed'",
            "marital_status = '死別'",
            "marital_status = 'Widowed'",
            "marital_status = 'widowed'",
        ],
    },
    Fact {
        queries: [
            "the marriage ended in court",
            "no longer with a former spouse",
            "has an ex-wife or ex-husband",
            "split up after a wedding",
            "once married, parted since",
        ],
        holds: [
            "conjugal_status = 'Separação ou divórcio'",
            "marital_status IN ('separated', 'divorced')",
            "marital_status = '離別'",
            "marital_status = 'Divorced/Separated'",
            "marital_status IN ('divorced', 'separated')",
        ],
    },
    Fact {
        queries: [
            "nobody else in the home",
            "a household of one",
            "has the flat all to themselves",
            "shares a roof with no one",
            "single occupant",
        ],
        holds: [
            "living_arrangement = 'Domicílio unipessoal'",
            "household_size = 1",
            "household_type = '単独世帯'",
            "household_type = 'Lives Alone'",
            "living_arrangement = 'lives_alone'",
        ],
    },
    Fact {
        queries: [
            "an introvert",
            "prefers solitude to a crowd",
            "says little in company",
            "shy and withdrawn",
            "keeps to the background at parties",
        ],
        holds: [
            "extraversion_label = 'very low'",
            "extraversion_label = 'very low'",
            "extraversion_label = 'very low'",
            "extraversion_label = 'very low'",
            "extraversion_label = 'very low'",
        ],
    },
    Fact {
        queries: [
            "extremely organised",
            "plans everything ahead",
            "disciplined and dependable",
            "a stickler for order and punctuality",
            "never leaves a task half done",
        ],
        holds: [
            "conscientiousness_label = 'very high'",
            "conscientiousness_label = 'very high'",
            "conscientiousness_label = 'very high'",
            "conscientiousness_label = 'very high'",
            "conscientiousness_label = 'very high'",
        ],
    },
];
