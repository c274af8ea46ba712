"""Documents: words, tf-idf and sequences of words. Texts in, arrays out."""
