# ruff: noqa: RUF001  (Arabic letters look like Latin ones to the linter)
"""The sentences of the offline writer: they frame the facts that were given and never add one."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Phrases:
    """One language. `{topic}` is the topic inside a sentence, `{question}` one that opens with a question word.

    `turned` are the second words of a question that is one already (Why is …). `bridges` may stand after a fact, `way`
    and `looks` make up a script without facts, `letters_per_second` is the voice's pace.
    """

    letters_per_second: float
    question_words: tuple[str, ...]
    turned: frozenset[str]
    wonder: str
    statement: tuple[str, ...]
    plain_hooks: tuple[str, ...]
    intros: tuple[str, ...]
    way: str
    audience: str
    bridges: tuple[str, ...]
    looks: tuple[str, ...]
    outros: tuple[str, ...]
    answer: str
    calls: tuple[str, ...]
    stop_words: frozenset[str]


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.strip().splitlines())


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


ENGLISH = Phrases(
    letters_per_second=16.7,
    question_words=("why", "how", "what", "when", "where", "who", "which"),
    turned=_words("is are was were do does did can could will would should has have had am"),
    wonder="Have you ever wondered {question}?",
    statement=("{topic}: here is what to know.", "Let us look at this: {topic}."),
    plain_hooks=_lines("""
        Here is something worth a minute of your time.
        Stop for a moment.
        Look closer."""),
    intros=_lines("""
        Here is what we know.
        Let us take it step by step, because every piece of this matters.
        It sounds simple, but there is more to it than you might think."""),
    way="Here is a simple way to look into it.",
    audience="This one is for {audience}.",
    bridges=_lines("""
        Let that sink in.
        Hold on to that thought.
        Take a moment to picture it.
        And that is only one part of the picture.
        Keep it in mind for what comes next.
        It is worth hearing twice."""),
    looks=_lines("""
        Start with what you can see for yourself.
        Write down the first question that comes to mind.
        Then ask who has looked at this before you, and what they found.
        Compare two sources, and notice where they disagree.
        Look for the one detail that surprises you.
        Ask what would have to be true for the opposite to hold.
        Explain it to a friend in a single sentence.
        If the sentence gets stuck, you have found the interesting part.
        Draw it, even badly, because a drawing shows the gaps.
        Give it a day, and look at it again with fresh eyes.
        Keep what still makes sense, and let the rest go.
        And then begin again, one step further than before."""),
    outros=_lines("""
        Now you know.
        Now you know a little more than a minute ago.
        Look at it again, and you may see it with different eyes."""),
    answer="And that is {question}.",
    calls=_lines("""
        Follow for more.
        Follow for more, and share this with someone curious."""),
    stop_words=_words("""
        the a an and or but of in on at to for with from by as is are was were be been being it its this that
        these those there here not no so than then too very can could will would should may might must do does
        did has have had you your we our they their he she his her i my me us them who whom which what why how
        when where all any each most more less much many some such into out up down over under about only also
        just even every only because while ago yet see let put get way began asked said one two three"""),
)

FRENCH = Phrases(
    letters_per_second=18.8,
    question_words=("pourquoi", "comment", "quand", "où", "qui", "quel", "quelle", "combien"),
    turned=_words("est-ce est-il sont-ils"),
    wonder="Vous êtes-vous déjà demandé {question} ?",
    statement=("{topic} : voici l'essentiel.", "Regardons cela de près : {topic}."),
    plain_hooks=_lines("""
        Voici quelque chose qui mérite une minute.
        Arrêtez-vous un instant.
        Regardez bien."""),
    intros=_lines("""
        Voici ce que l'on sait.
        Avançons pas à pas, car chaque élément compte.
        Cela paraît simple, et pourtant il y a plus à voir qu'on ne le croit."""),
    way="Voici une façon simple de s'y intéresser.",
    audience="Ceci s'adresse à vous : {audience}.",
    bridges=_lines("""
        Pensez-y un instant.
        Gardez cela en tête.
        Prenez le temps de l'imaginer.
        Et ce n'est qu'une partie du tableau.
        Retenez-le pour la suite.
        Cela vaut la peine d'être répété."""),
    looks=_lines("""
        Commencez par ce que vous pouvez voir vous-même.
        Notez la première question qui vous vient à l'esprit.
        Demandez ensuite qui s'y est intéressé avant vous, et ce qu'il a trouvé.
        Comparez deux sources, et voyez où elles se contredisent.
        Cherchez le détail qui vous surprend.
        Demandez ce qui devrait être vrai pour que le contraire le soit.
        Expliquez-le à un ami en une seule phrase.
        Si la phrase se bloque, vous tenez la partie intéressante.
        Dessinez-le, même mal, car un dessin montre les lacunes.
        Laissez passer un jour, puis regardez à nouveau.
        Gardez ce qui tient encore, et laissez le reste.
        Puis recommencez, un pas plus loin qu'avant."""),
    outros=_lines("""
        Maintenant, vous savez.
        Vous en savez un peu plus qu'il y a une minute.
        Regardez encore une fois, et vous le verrez peut-être autrement."""),
    answer="Et voilà {question}.",
    calls=_lines("""
        Abonnez-vous pour la suite.
        Abonnez-vous pour la suite, et partagez avec une personne curieuse."""),
    stop_words=_words("""
        le la les un une des du de d' l' et ou mais dans en sur au aux à pour par avec sans sous est sont était
        étaient être a ont avait ce cet cette ces il elle ils elles on nous vous je tu que qui quoi dont où ne
        pas plus moins très si comme tout tous toute toutes leur leurs son sa ses mon ma mes se pourquoi comment
        quand aussi même encore"""),
)

GERMAN = Phrases(
    letters_per_second=17.1,
    question_words=("warum", "wieso", "wie", "was", "wann", "wo", "wer", "welche", "welcher"),
    turned=_words("ist sind war waren hat haben wird werden kann können sollte soll macht gibt"),
    wonder="Haben Sie sich je gefragt, {question}?",
    statement=("{topic}: das sollte man wissen.", "Sehen wir uns das an: {topic}."),
    plain_hooks=_lines("""
        Das hier ist eine Minute wert.
        Halten Sie kurz inne.
        Sehen Sie genau hin."""),
    intros=_lines("""
        Das wissen wir.
        Gehen wir Schritt für Schritt vor, denn jedes Teil zählt.
        Es klingt einfach, doch es steckt mehr darin, als man zuerst denkt."""),
    way="Hier ist ein einfacher Weg, sich damit zu befassen.",
    audience="Das ist für Sie: {audience}.",
    bridges=_lines("""
        Lassen Sie das wirken.
        Behalten Sie das im Kopf.
        Stellen Sie es sich einen Moment lang vor.
        Und das ist nur ein Teil des Bildes.
        Merken Sie es sich für das, was jetzt kommt.
        Das darf man ruhig zweimal hören."""),
    looks=_lines("""
        Beginnen Sie mit dem, was Sie selbst sehen können.
        Schreiben Sie die erste Frage auf, die Ihnen einfällt.
        Fragen Sie dann, wer schon vor Ihnen hingesehen hat und was er fand.
        Vergleichen Sie zwei Quellen, und achten Sie darauf, wo sie sich widersprechen.
        Suchen Sie die eine Einzelheit, die Sie überrascht.
        Fragen Sie, was wahr sein müsste, damit das Gegenteil gilt.
        Erklären Sie es einem Freund in einem einzigen Satz.
        Wo der Satz stockt, beginnt der spannende Teil.
        Zeichnen Sie es, auch wenn es schief wird, denn eine Zeichnung zeigt die Lücken.
        Lassen Sie einen Tag vergehen, und sehen Sie noch einmal hin.
        Behalten Sie, was dann noch stimmt.
        Und beginnen Sie von vorn, einen Schritt weiter als zuvor."""),
    outros=_lines("""
        Jetzt wissen Sie es.
        Jetzt wissen Sie ein wenig mehr als vor einer Minute.
        Sehen Sie noch einmal hin, vielleicht mit anderen Augen."""),
    answer="Jetzt wissen Sie, {question}.",
    calls=_lines("""
        Folgen Sie uns für mehr.
        Folgen Sie uns für mehr, und teilen Sie das mit jemandem, der neugierig ist."""),
    stop_words=_words("""
        der die das den dem des ein eine einen einem einer eines und oder aber in im an am auf zu zum zur für
        mit von vom bei aus nach über unter ist sind war waren sein wird werden hat haben hatte es er sie wir
        ihr ich du man sich nicht kein keine so als wie wenn dass weil auch nur noch schon sehr mehr alle dieser
        diese dieses was warum wer wo wann denn doch beim ihre ihrer seine seiner immer"""),
)

ITALIAN = Phrases(
    letters_per_second=16.4,
    question_words=("perché", "perche", "come", "quando", "dove", "chi", "quale", "quanto"),
    turned=frozenset(),
    wonder="Ti sei mai chiesto {question}?",
    statement=("{topic}: ecco cosa sapere.", "Guardiamolo da vicino: {topic}."),
    plain_hooks=_lines("""
        Ecco qualcosa che merita un minuto.
        Fermati un momento.
        Guarda bene."""),
    intros=_lines("""
        Ecco che cosa sappiamo.
        Procediamo un passo alla volta, perché ogni pezzo conta.
        Sembra semplice, eppure c'è più di quanto si pensi."""),
    way="Ecco un modo semplice per approfondire.",
    audience="Questo è per te: {audience}.",
    bridges=_lines("""
        Pensaci un momento.
        Tienilo a mente.
        Prenditi il tempo di immaginarlo.
        Ed è solo una parte del quadro.
        Ricordalo per quello che segue.
        Vale la pena di sentirlo due volte."""),
    looks=_lines("""
        Comincia da quello che puoi vedere con i tuoi occhi.
        Scrivi la prima domanda che ti viene in mente.
        Poi chiedi chi l'ha guardato prima di te, e che cosa ha trovato.
        Confronta due fonti, e nota dove non sono d'accordo.
        Cerca il dettaglio che ti sorprende.
        Chiediti che cosa dovrebbe essere vero perché valga il contrario.
        Spiegalo a un amico in una sola frase.
        Se la frase si blocca, hai trovato la parte interessante.
        Disegnalo, anche male, perché un disegno mostra i vuoti.
        Lascia passare un giorno, e guarda di nuovo.
        Tieni quello che ha ancora senso, e lascia il resto.
        E poi ricomincia, un passo più avanti di prima."""),
    outros=_lines("""
        Adesso lo sai.
        Adesso ne sai un po' più di un minuto fa.
        Guardalo ancora, e forse lo vedrai con occhi diversi."""),
    answer="Ed ecco {question}.",
    calls=_lines("""
        Seguici per saperne di più.
        Seguici per saperne di più, e condividi con una persona curiosa."""),
    stop_words=_words("""
        il lo la i gli le un uno una di del dello della dei degli delle a al allo alla ai agli alle da dal dalla
        in nel nella nei con su sul sulla per tra fra e o ma è sono era erano essere ha hanno aveva che chi cui
        non più meno molto si come tutto tutti tutta tutte suo sua suoi loro mio mia questo questa questi quello
        quella perché quando dove anche ancora solo se ogni"""),
)

ARABIC = Phrases(
    letters_per_second=9.4,
    question_words=("لماذا", "كيف", "ماذا", "متى", "أين", "من", "ما", "هل", "كم"),
    turned=frozenset(),
    wonder="هل تساءلت يومًا {question}؟",
    statement=("{topic}: هذا ما يجب أن تعرفه.", "لننظر معًا: {topic}."),
    plain_hooks=_lines("""
        هذا أمر يستحق دقيقة من وقتك.
        توقف لحظة.
        انظر جيدًا."""),
    intros=_lines("""
        إليك ما نعرفه.
        لنتقدم خطوة خطوة، فكل جزء له معنى.
        يبدو الأمر بسيطًا، لكن فيه أكثر مما تظن."""),
    way="إليك طريقة بسيطة للبحث في هذا الأمر.",
    audience="هذا لكم: {audience}.",
    bridges=_lines("""
        فكر في ذلك لحظة.
        احتفظ بهذه الفكرة.
        خذ وقتك وتخيل المشهد.
        وهذا جزء واحد فقط من الصورة.
        تذكر ذلك لما سيأتي.
        هذا يستحق أن نسمعه مرتين."""),
    looks=_lines("""
        ابدأ بما يمكنك أن تراه بنفسك.
        اكتب أول سؤال يخطر ببالك.
        ثم اسأل من بحث في هذا قبلك، وماذا وجد.
        قارن بين مصدرين، ولاحظ أين يختلفان.
        ابحث عن التفصيل الذي يفاجئك.
        اسأل ماذا يجب أن يكون صحيحًا ليصح العكس.
        اشرح الأمر لصديق في جملة واحدة.
        إذا تعثرت الجملة، فقد وجدت الجزء المثير.
        ارسمه ولو رسمًا بسيطًا، فالرسم يظهر ما ينقص.
        اتركه يومًا، ثم انظر إليه من جديد.
        احتفظ بما بقي منطقيًا، ودع الباقي.
        ثم ابدأ من جديد، خطوة أبعد من قبل."""),
    outros=_lines("""
        الآن أصبحت تعرف.
        الآن تعرف أكثر قليلًا مما كنت تعرف قبل دقيقة.
        انظر مرة أخرى، فقد تراه بعين مختلفة."""),
    answer="وهكذا عرفنا {question}.",
    calls=_lines("""
        تابعنا للمزيد.
        تابعنا للمزيد، وشارك هذا مع من يحب المعرفة."""),
    stop_words=_words("""
        في من إلى على عن مع هذا هذه ذلك تلك هو هي هم نحن أنت أنا كان كانت يكون أن إن لا لم لن ما ماذا لماذا كيف
        متى أين هل كم كل بعض أو و ثم قد التي الذي الذين حتى بين بعد قبل عند غير أيضا فقط جدا أكثر"""),
)

DARIJA = Phrases(
    letters_per_second=8.9,
    question_words=("علاش", "كيفاش", "شنو", "فوقاش", "فين", "شكون", "واش", "شحال"),
    turned=frozenset(),
    wonder="واش عمرك سولتي راسك {question}؟",
    statement=("{topic}: ها شنو خاصك تعرف.", "يالاه نشوفو: {topic}."),
    plain_hooks=_lines("""
        هادي حاجة كتستاهل دقيقة من وقتك.
        وقف شوية.
        شوف مزيان."""),
    intros=_lines("""
        ها شنو كنعرفو.
        يالاه نمشيو خطوة بخطوة، حيت كل حاجة عندها معنى.
        كتبان ساهلة، ولكن فيها كتر من اللي كتظن."""),
    way="ها واحد الطريقة ساهلة باش تقلب على هادشي.",
    audience="هادي ليكم: {audience}.",
    bridges=_lines("""
        فكر فيها شوية.
        خلي هاد الفكرة فبالك.
        خود وقتك وتخيلها.
        وهادا غير جزء واحد من الصورة.
        عقل عليها للي جاي.
        هادي كتستاهل نسمعوها جوج مرات."""),
    looks=_lines("""
        بدا باللي تقدر تشوفو بعينيك.
        كتب أول سؤال جا فبالك.
        ومن بعد سول شكون قلب على هادشي قبل منك، وشنو لقا.
        قارن بين جوج مصادر، وشوف فين كيختالفو.
        قلب على التفصيلة اللي كتفاجئك.
        سول شنو خاصو يكون صحيح باش يصح العكس.
        شرحها لشي صاحبك فجملة وحدة.
        إلا تقلات الجملة، راك لقيتي الجزء المهم.
        رسمها واخا ماشي مزيان، حيت الرسم كيبين شنو ناقص.
        خليها نهار، ورجع شوفها من جديد.
        خلي اللي باقي معقول، وسمح فالباقي.
        ومن بعد بدا من جديد، خطوة قدام."""),
    outros=_lines("""
        دابا راك عارف.
        دابا كتعرف شوية كتر من اللي كنتي كتعرف قبل دقيقة.
        عاود شوف، يمكن تشوفها بعين أخرى."""),
    answer="وهكا عرفنا {question}.",
    calls=_lines("""
        تبعنا باش تعرف كتر.
        تبعنا باش تعرف كتر، وشارك هادشي مع شي واحد كيبغي يتعلم."""),
    stop_words=_words("""
        ف من ل على مع هاد هادي هادا داك ديك هو هي هوما حنا نتا أنا كان كانت باش اللي لا ما ماشي شنو علاش كيفاش
        فوقاش فين واش شحال كل شي أو و غير حتى بين بعد قبل عند بزاف ديال كتر"""),
)

LANGUAGES: dict[str, Phrases] = {
    "en": ENGLISH, "fr": FRENCH, "de": GERMAN, "it": ITALIAN, "ar": ARABIC, "ary": DARIJA,
}  # fmt: skip
