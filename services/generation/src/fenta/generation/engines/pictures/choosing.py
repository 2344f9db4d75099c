"""Which composition tells a sentence: words in several languages, and a turn by chance among those that fit."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np


World = Literal["sky", "land", "form"]


@dataclass(frozen=True)
class Composition:
    """A kind of picture: the phrase that names it, the palettes that suit it and the stems that call for it."""

    name: str
    world: World
    phrase: str
    palettes: tuple[str, ...]
    stems: tuple[str, ...]


def _composition(name: str, world: World, phrase: str, palettes: str, stems: str) -> Composition:
    return Composition(name, world, phrase, tuple(palettes.split()), tuple(stems.split()))


COMPOSITIONS: dict[str, Composition] = {
    each.name: each
    for each in (
        _composition(
            "night_sky",
            "sky",
            "the Milky Way over silhouetted hills",
            "indigo violet teal dusk",
            """
            night star milky dark dunkel nacht stern nuit étoil sombre notte stell buio ليل نجم نجوم سماء ظلام
            سما sky ciel himmel cielo""",
        ),
        _composition(
            "galaxy",
            "sky",
            "a spiral galaxy in clouds of light",
            "violet indigo rose ember",
            """
            galax univers cosm expand infinit weltall unendlich infini مجر كون بعيد big bang urknall""",
        ),
        _composition(
            "planets",
            "sky",
            "a ringed planet with its moons and orbits",
            "violet indigo ember lagoon sand",
            """
            planet moon orbit mond lune lun earth erde terre terra sonne sun soleil sole satur mars كوكب قمر أرض
            شمس gravit""",
        ),
        _composition(
            "aurora",
            "sky",
            "northern lights over a still lake",
            "teal violet indigo lagoon",
            """
            aurora north polar lake light licht lumi luce glow invisib nord ضوء نور شمال""",
        ),
        _composition(
            "mountains",
            "land",
            "layered mountains in the haze of a low sun",
            "dusk ice rose indigo teal ember",
            """
            mountain hill peak berg montagn high height climb altitud جبل جبال distan horizon travel journey
            reis voyag viagg سفر""",
        ),
        _composition(
            "ocean",
            "land",
            "a swell under a low sun",
            "lagoon teal dusk ice",
            """
            ocean sea wave water fish octop wasser meer welle mer eau vague poisson poulp pieuvr krake mare
            acqua polp بحر ماء موج أخطبوط سمك river fluss fleuve fium swim blood blut sang""",
        ),
        _composition(
            "city",
            "land",
            "a skyline at the blue hour with lit windows",
            "indigo dusk violet ice",
            """
            city town build street people work stadt haus strass mensch ville rue gens maison città strada casa
            gente مدينة شارع ناس عمل money geld argent business market histor econom""",
        ),
        _composition(
            "forest",
            "land",
            "firs in morning fog with shafts of light",
            "meadow teal sand ice",
            """
            forest tree wood plant leaf animal wald baum pflanz tier forêt arbre plante foresta alber piant غابة
            شجر نبات حيوان nature natur طبيعة bird food kaffee coffee café caff""",
        ),
        _composition(
            "dunes",
            "land",
            "desert dunes in sharp light",
            "sand rose ember dusk",
            """
            desert sand dune heat hot hitz wüste désert chaud calor deserto sabbia صحراء رمل حر dry fire feuer
            feu fuoco نار""",
        ),
        _composition(
            "cells",
            "form",
            "living cells under a microscope",
            "rose lagoon meadow violet teal",
            """
            cell heart brain body blood virus bacteri gene microb microsc zell herz gehirn körper cœur coeur cerveau
            corps cuor cervell corpo خلي قلب دماغ جسم health medic chemi atom molek""",
        ),
        _composition(
            "lights",
            "sky",
            "round lights out of focus and soft beams",
            "ember indigo rose lagoon sand",
            """
            light bright shine lamp photon beam licht hell strahl lumière rayon luce raggio ضوء نور شعاع see eye
            auge œil yeux occhi عين energy energie music""",
        ),
        _composition(
            "ribbons",
            "form",
            "folds of flowing silk",
            "violet rose lagoon ember ice",
            """
            wave flow stretch time signal sound idea zeit welle temps onde tempo onda وقت زمن موج فكر stretched
            language spra langue""",
        ),
        _composition(
            "papercut",
            "form",
            "layers of cut paper around a glowing centre",
            "teal rose sand violet lagoon meadow",
            """
            question idea story layer reason frage grund come لماذا
            كيف سؤال paper learn secret""",
        ),
    )
}


def scores(text: str) -> dict[str, int]:
    """How strongly a text calls for each composition; naming its phrase outright decides."""
    spoken = text.casefold()
    words = re.findall(r"[^\W\d_]+", spoken)
    return {
        name: 100 * (each.phrase.casefold() in spoken) + sum(_calls(word, each.stems) for word in words)
        for name, each in COMPOSITIONS.items()
    }


def _calls(word: str, stems: tuple[str, ...]) -> bool:
    return any(word.startswith(stem) or word.removeprefix("ال").startswith(stem) for stem in stems)


def choose(random: "np.random.Generator", text: str) -> Composition:
    """The composition that a prompt calls for most; equal ones by chance."""
    ranked = scores(text)
    best = max(ranked.values())
    fitting = [name for name, score in ranked.items() if score == best]
    return COMPOSITIONS[fitting[int(random.integers(len(fitting)))]]
