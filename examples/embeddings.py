"""
Sentences by topic
==================

Group sentences by topic: the direction of an embedding holds its meaning, and SphericalKMeans clusters by direction.

    python examples/embeddings.py

The embeddings here are weights of words (TF-IDF) in a sparse matrix, which stays sparse. The embeddings of a language
model, a dense float32 array, work in the same way.
"""

from sklearn.feature_extraction.text import TfidfVectorizer

from steinhaus import SphericalKMeans

SENTENCES = [
    "the telescope sees a galaxy behind the star",
    "a comet passed the star and the planet",
    "the planet turns around its star in a year",
    "a galaxy holds many a star and planet",
    "knead the dough and let the bread rise",
    "bake the bread in a hot oven",
    "the dough needs flour, salt and yeast",
    "flour and yeast make the bread rise in the oven",
    "the striker scored a goal before the whistle",
    "the keeper saved the goal in the last minute",
    "the referee blew the whistle after the goal",
    "a late goal, and the referee ended the match",
]

embeddings = TfidfVectorizer(stop_words="english").fit_transform(SENTENCES)
print(f"{embeddings.shape[0]} sentences, {embeddings.shape[1]} words, {embeddings.nnz} entries")
topics = SphericalKMeans(3, n_init=10, random_state=0).fit(embeddings)
for topic in range(3):
    print(f"topic {topic}")
    for sentence, label in zip(SENTENCES, topics.labels_, strict=True):
        if label == topic:
            print(f"    {sentence}")
