#!/bin/sh
# What benchmarks/search/run.py searches, kept in the index: sh benchmarks/search/build.sh real.index
set -e
hyperir build "$1" firstorder --set centroids=512 --set engine=faiss
hyperir build "$1" firstorder --set centroids=128 --set engine.type=faiss --set engine.dtype=i8
hyperir build "$1" firstorder --set centroids=128 --set engine.type=faiss --set engine.index=codes
hyperir build "$1" graph --set preset=hypencoder --set builder=faiss
hyperir build "$1" ivf --set cells=1024
hyperir build "$1" exact --set first_pass=bfloat16
hyperir build "$1" graph --set builder=faiss
