"""What a GAN is: generators, critics and verdicts; architectures in families."""
