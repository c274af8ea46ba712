"""Matrix factorization: who has what in, latent factors out."""
